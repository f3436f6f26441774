/* wall.c - see wall.h. */
#include "wall.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "port.h"

/* A packet that labwire sends comes with no route, as from a network card. IPv4 then refuses an
 * own address as its source, and 127.0.0.0/8 as its destination, unless it is told otherwise. */
static void allow(const char *name)
{
    char path[80];
    int fd;

    snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/lo/%s", name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1)
        fail_errno(path);
    close(fd);
}

/* Packets are dropped where they arrive: dropped on their way out, their sender would be told
 * (EPERM), and no network does that. The mark survives the loopback. */
static void write_rules(char *text, size_t size)
{
    snprintf(text, size,
             "add table inet labwire; delete table inet labwire; add table inet labwire; "
             "add chain inet labwire arrivals "
             "{ type filter hook prerouting priority raw; policy accept; }; "
             "add rule inet labwire arrivals iif lo meta mark != 0x%x drop", PORT_MARK);
}

/* nft lies where an ordinary user's PATH does not lead. */
static void extend_path(void)
{
    const char *path = getenv("PATH");
    char longer[4096];

    snprintf(longer, sizeof longer, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    setenv("PATH", longer, 1);
}

static pid_t nft;
static int nft_words; /* the read end of its stderr */

void wall_build(void)
{
    static char rules[512];
    char *argv[] = {"nft", rules, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], error;

    allow("accept_local");
    allow("route_localnet");
    write_rules(rules, sizeof rules);
    extend_path();
    if (pipe2(ends, O_CLOEXEC) < 0 || posix_spawn_file_actions_init(&actions) != 0)
        fail_errno("pipe");
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    error = posix_spawnp(&nft, "nft", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    nft_words = ends[0];
    if (error == ENOENT || error == EACCES) /* the latter: a folder of PATH that is closed to us */
        fail(EXIT_FAILED, "nft is missing (the package nftables): run 'make setup'");
    errno = error;
    if (error != 0)
        fail_errno("nft");
}

/* All that comes until the end of file; what does not fit is read and left out. */
static void read_words(int fd, char *text, size_t size)
{
    char rest[256];
    size_t used = 0;
    ssize_t n;

    do {
        bool full = used + 1 == size;
        n = read(fd, full ? rest : text + used, full ? sizeof rest : size - 1 - used);
        if (n > 0 && !full)
            used += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    text[used] = '\0';
    text[strcspn(text, "\n")] = '\0'; /* its first line says it */
}

void wall_built(void)
{
    char words[256], why[320];
    int status = 0;

    read_words(nft_words, words, sizeof words);
    close(nft_words);
    while (waitpid(nft, &status, 0) < 0)
        if (errno != EINTR)
            fail_errno("wait for nft");
    if (status != 0) {
        snprintf(why, sizeof why, "nft cannot close the loopback: %s",
                 *words ? words : "it does not say why");
        fail(EXIT_FAILED, why);
    }
}
