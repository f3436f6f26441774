/* loopback.c - see loopback.h. */
#include "loopback.h"

#include "interface.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name; /* below /proc/sys/net */
    const char *value;
} settings[] = {
    /* The congestion control every kernel has. */
    {"ipv4/tcp_congestion_control", "reno"},
    /* Every datagram to a closed port is answered, as on a loopback, not six in a row. */
    {"ipv4/icmp_ratelimit", "0"},
    {"ipv6/icmp/ratelimit", "0"},
};

/* 0, or -1 with errno. Where /proc/sys is read-only, the host's own default serves too. */
static int set(const char *name, const char *value)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = write(fd, value, strlen(value));
    close(fd);
    return n == (ssize_t)strlen(value) ? 0 : -1;
}

const char *loopback_up(void)
{
    const char *failed = interface_up("lo", IFF_RUNNING);

    if (failed != NULL)
        return failed;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (set(settings[i].name, settings[i].value) < 0)
            return settings[i].name;
    return NULL;
}
