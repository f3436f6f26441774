/* unpack.c - see unpack.h. */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAGIC = 4, GZIP_WARNING = 2 /* all is unpacked; something else follows */ };

static const struct {
    const char *program;
    size_t size;
    uint8_t magic[MAGIC]; /* RFC 1952; RFC 8878 */
} packings[] = {{"gzip", 3, {0x1f, 0x8b, 8}}, {"zstd", 4, {0x28, 0xb5, 0x2f, 0xfd}}};

const char *unpack_program(struct octets *packed)
{
    for (size_t i = 0; i < sizeof packings / sizeof *packings; i++) {
        const uint8_t *start = octets_look(packed, packings[i].size);

        if (start != NULL && memcmp(start, packings[i].magic, packings[i].size) == 0)
            return packings[i].program;
    }
    return NULL;
}

bool unpack_file_is_packed(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct octets octets;
    bool packed;

    if (fd < 0)
        return false;
    octets_open(&octets, fd);
    packed = unpack_program(&octets) != NULL;
    octets_close(&octets);
    close(fd);
    return packed;
}

/* ---- Where the program reads ---- */

static void write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno != EINTR)
            _exit(1); /* it takes no more */
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
}

/* A process that hands on what was read already, and all that follows. */
static pid_t start_feeder(struct octets *packed, int other_end, int fd)
{
    pid_t pid = fork();
    const uint8_t *bytes;

    if (pid != 0)
        return pid;
    close(other_end);
    signal(SIGPIPE, SIG_IGN);
    while ((bytes = octets_look(packed, 1)) != NULL) {
        size_t size = packed->end - packed->at;

        write_all(fd, bytes, size);
        octets_take(packed, size);
    }
    _exit(packed->error != 0);
}

/* A descriptor that gives all that is packed: that of the octets if it can go back to them. */
static int whole_input(struct unpacker *u, struct octets *packed)
{
    off_t waiting = (off_t)(packed->end - packed->at);
    int fds[2];

    if (lseek(packed->fd, -waiting, SEEK_CUR) >= 0)
        return fcntl(packed->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    u->feeder = start_feeder(packed, fds[0], fds[1]);
    close(fds[1]);
    if (u->feeder > 0)
        return fds[0];
    u->feeder = 0;
    close(fds[0]);
    return -1;
}

/* ---- The program ---- */

/* Its own complaints are left out: what they mean is said by whoever reads the trace. */
static int spawn(struct unpacker *u, int input, int output)
{
    static char decompress[] = "-dc";
    char name[8];
    char *const argv[] = {name, decompress, NULL};
    posix_spawn_file_actions_t actions;
    int error;

    stpcpy(name, u->program);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    error = posix_spawnp(&u->pid, u->program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        u->pid = 0;
    return error;
}

bool unpack_begin(struct unpacker *u, const char *program, struct octets *packed)
{
    int fds[2], input, error;

    *u = (struct unpacker){.program = program, .fd = -1};
    signal(SIGCHLD, SIG_DFL); /* where it is ignored nobody learns how a child ended */
    input = whole_input(u, packed); /* first: a feeder has no end of the other pipe */
    if (input < 0)
        return false;
    error = pipe2(fds, O_CLOEXEC) < 0 ? errno : 0;
    if (error == 0) {
        u->fd = fds[0];
        error = spawn(u, input, fds[1]);
        close(fds[1]);
    }
    close(input);
    errno = error;
    return error == 0;
}

static int wait_for(pid_t *pid)
{
    int status = 0;

    while (*pid > 0 && waitpid(*pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    *pid = 0;
    return status;
}

bool unpack_succeeded(struct unpacker *u)
{
    int status = wait_for(&u->pid);

    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 ||
                                 (WEXITSTATUS(status) == GZIP_WARNING &&
                                  strcmp(u->program, "gzip") == 0));
}

void unpack_end(struct unpacker *u)
{
    if (u->program == NULL)
        return;
    if (u->fd >= 0)
        close(u->fd);
    if (u->pid > 0)
        kill(u->pid, SIGKILL);
    if (u->feeder > 0)
        kill(u->feeder, SIGKILL);
    wait_for(&u->pid);
    wait_for(&u->feeder);
}
