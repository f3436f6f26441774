/*
 * What in.tftpd asks of the machine it is made for and a sandbox does not have: the right to
 * change its groups and its root folder, and an address besides the loopback's. Preloaded
 * (ld.so(8)), this grants it all; the user and the folder are the sandbox's then.
 */
#include <dlfcn.h>
#include <grp.h>
#include <netdb.h>
#include <stddef.h>
#include <unistd.h>

int initgroups(const char *user, gid_t group)
{
    (void)user;
    (void)group;
    return 0;
}

int chroot(const char *path)
{
    (void)path;
    return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))
            dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo wanted = *hints;

    wanted.ai_flags &= ~AI_ADDRCONFIG;
    return real(node, service, &wanted, found);
}
