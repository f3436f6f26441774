/* files - see files.h. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- Names ---------------------------------------------------------------- */

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

bool is_base_name(const char *name)
{
    return name[0] != '\0' && strcmp(name, ".") != 0
        && strcmp(name, "..") != 0 && strchr(name, '/') == NULL
        && strlen(name) <= NAME_MAX;
}

/* -- Beneath a folder ----------------------------------------------------- */

/* close() may change errno, and the reason for closing has to be kept. */
static void close_quietly(int fd)
{
    int why = errno;

    close(fd);
    errno = why;
}

/* Opens what NAME is in FOLDER if it is of that type, S_IFREG or S_IFDIR. */
static int open_in(int folder, const char *name, mode_t type)
{
    struct stat status;

    /* To open a FIFO already disturbs whoever writes to it, so look first; in
     * between it may become another thing, so look again. */
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    errno = ENOENT;
    if ((status.st_mode & S_IFMT) != type)
        return -1;

    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        errno = errno == ELOOP ? ENOENT : errno;    /* a link, since then */
        return -1;
    }
    if (fstat(fd, &status) < 0 || (status.st_mode & S_IFMT) != type) {
        errno = ENOENT;
        close_quietly(fd);
        return -1;
    }
    return fd;
}

/* Takes the next name out of PATH, into NAME; returns what is behind it, or
 * NULL and errno. The name is `.` where there is none. */
static const char *next_name(const char *path, char name[NAME_MAX + 1])
{
    path += strspn(path, "/");
    size_t len = strcspn(path, "/");

    if (len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    snprintf(name, NAME_MAX + 1, "%.*s", (int)len, path);
    if (len == 0)
        strcpy(name, ".");
    if (strcmp(name, "..") == 0) {
        errno = EACCES;
        return NULL;
    }
    return path + len;
}

/*
 * Walks from FOLDER to the folder that holds the last name of PATH. Returns
 * its descriptor, to be closed, and the name (`.` of an empty path); or -1.
 */
static int walk(int folder, const char *path, char name[NAME_MAX + 1])
{
    int here = -1;

    /* STEP 12: go down name by name, each from the descriptor of the folder
     * before. No name holds a / or is `..`, none is a link: so each step leads
     * down, whatever others rename meanwhile. To test the path as a string
     * and then open it whole would leave them a moment for a link. */
    here = openat(folder, ".", O_RDONLY | O_DIRECTORY);
    while (here >= 0) {
        int below = -1;
        path = next_name(path, name);
        if (path != NULL && path[0] == '\0')
            return here;
        if (path != NULL)
            below = open_in(here, name, S_IFDIR);
        close_quietly(here);
        here = below;
    }
    /* END STEP 12; silent; stub:
    (void)next_name;
    here = openat(folder, ".", O_RDONLY | O_DIRECTORY);
    path += strspn(path, "/");
    snprintf(name, NAME_MAX + 1, "%s", path[0] == '\0' ? "." : path); */

    return here;
}

static int walk_and_open(int folder, const char *path, mode_t type)
{
    char name[NAME_MAX + 1];
    int fd = -1, above = walk(folder, path, name);

    if (above >= 0) {
        fd = open_in(above, name, type);
        close_quietly(above);
    }
    return fd;
}

int open_folder(const char *name)
{
    return open(name, O_RDONLY | O_DIRECTORY);
}

int open_file_in(int folder, const char *path)
{
    return walk_and_open(folder, path, S_IFREG);
}

int open_folder_in(int folder, const char *path)
{
    return walk_and_open(folder, path, S_IFDIR);
}

/* -- Saving --------------------------------------------------------------- */

/* What is being saved now, for the signal handler. */
static struct saving *volatile current;

/* What has the file's name already, if anything, may be replaced. */
static bool may_replace(const struct saving *saving)
{
    struct stat status;

    if (fstatat(saving->folder, saving->name, &status,
                AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT;
    errno = S_ISDIR(status.st_mode) ? EISDIR : EEXIST;
    return S_ISREG(status.st_mode)
        && faccessat(saving->folder, saving->name, W_OK, AT_EACCESS) == 0;
}

/* Makes the file under a name that nobody has. Returns its descriptor or -1. */
static int create(struct saving *saving)
{
    int fd = -1;

    /* STEP 5: write to a temporary name in the folder where the file will be:
     * only within one file system is rename() a single step. O_EXCL makes a
     * new file or fails; so nobody else's is touched, no link followed. */
    do {
        unsigned number;
        if (getrandom(&number, sizeof number, 0) < 0)
            return -1;
        snprintf(saving->temporary, sizeof saving->temporary, ".%.*s.%06x",
                 NAME_MAX - 8, saving->name, number & 0xffffff);
        fd = openat(saving->folder, saving->temporary,
                    O_WRONLY | O_CREAT | O_EXCL, 0666);
    } while (fd < 0 && errno == EEXIST);
    /* END STEP 5; stub:
    memcpy(saving->temporary, saving->name, sizeof saving->temporary);
    fd = openat(saving->folder, saving->name,
                O_WRONLY | O_CREAT | O_TRUNC, 0666); */

    return fd;
}

/* Begins to save NAME in FOLDER, which is the saving's from now on. */
static bool begin(struct saving *saving, int folder, const char *name)
{
    sigset_t all, before;

    saving->fd = -1;
    saving->folder = folder;
    errno = strlen(name) > NAME_MAX ? ENAMETOOLONG : EISDIR;
    if (!is_base_name(name)) {
        close_quietly(folder);
        return false;
    }
    snprintf(saving->name, sizeof saving->name, "%s", name);

    /* No signal between the file's beginning and our knowing of it. */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    if (may_replace(saving))
        saving->fd = create(saving);
    if (saving->fd >= 0)
        current = saving;
    else
        close_quietly(folder);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return saving->fd >= 0;
}

bool begin_saving(struct saving *saving, int folder, const char *path)
{
    char name[NAME_MAX + 1];
    int above = walk(folder, path, name);

    return above >= 0 && begin(saving, above, name);
}

bool begin_saving_as(struct saving *saving, const char *local)
{
    const char *name = base_name(local);
    char above[PATH_MAX];
    size_t len = (size_t)(name - local);

    if (local[0] == '\0' || len >= sizeof above) {
        errno = local[0] == '\0' ? ENOENT : ENAMETOOLONG;
        return false;
    }
    memcpy(above, local, len);
    above[len] = '\0';

    int folder = open_folder(len == 0 ? "." : above);
    return folder >= 0 && begin(saving, folder, name);
}

bool save(struct saving *saving, const void *data, size_t len)
{
    for (const char *next = data; len > 0; ) {
        ssize_t n = write(saving->fd, next, len);
        if (n < 0 && errno != EINTR)
            return false;               /* such as a full disk: ENOSPC */
        if (n > 0) {                    /* perhaps only a part: go on there */
            next += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Some file systems tell only in close() that the disk is full. */
bool finish_saving(struct saving *saving, bool replace)
{
    int folder = saving->folder, fd = saving->fd;
    const char *old = saving->temporary, *new = saving->name;

    saving->fd = -1;
    bool done = close(fd) == 0
        && (replace ? renameat(folder, old, folder, new)
                    : linkat(folder, old, folder, new, 0)) == 0;
    if (done && replace) {
        current = NULL;
        close(folder);
    } else {
        give_up_saving(saving);         /* a link() leaves two names */
    }
    return done;
}

void give_up_saving(struct saving *saving)
{
    int why = errno;

    unlinkat(saving->folder, saving->temporary, 0);
    current = NULL;
    if (saving->fd >= 0)
        close(saving->fd);
    close(saving->folder);
    errno = why;
}

/* -- Signals -------------------------------------------------------------- */

static volatile sig_atomic_t end_status;

/* A handler may call unlinkat() and _exit(), but not exit() or printf(), see
 * signal-safety(7). The kernel closes the sockets. */
static void stop(int signal_number)
{
    (void)signal_number;
    if (current != NULL)
        unlinkat(current->folder, current->temporary, 0);
    _exit(end_status);
}

void clean_up_on_signals(int status)
{
    struct sigaction action = { .sa_handler = stop };

    end_status = status;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);           /* over the limit of ulimit -f: to  */
}                                       /* write() an error, not our end    */
