/* bounds.c - see bounds.h. */
#include "bounds.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What a process has in memory of its code and libraries, and is not counted. */
enum { CODE_BYTES = 2 * 1024 * 1024 };

/* Fields of /proc/PID/stat, counted from the one behind the name (proc(5)). */
enum { SESSION = 3, UTIME = 11, STIME, CUTIME, CSTIME, THREADS = 17, RESIDENT = 21, FIELDS };

struct usage {
    int64_t memory, processes, threads, ticks;
    int64_t shared;   /* of memory: what is in a file in memory, or shared without a name */
    int64_t sessions; /* at most MOST_SESSIONS + 1 */
    int64_t session[MOST_SESSIONS];
};

/* Reads the file PATH, at most SIZE - 1 bytes and a NUL. The bytes, or -1. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n < 0 ? 0 : n] = 0;
    return n;
}

/* Counts session ID, once. */
static void add_session(int64_t id, struct usage *usage)
{
    for (int64_t i = 0; i < usage->sessions && i < MOST_SESSIONS; i++)
        if (usage->session[i] == id)
            return;
    if (usage->sessions < MOST_SESSIONS)
        usage->session[usage->sessions] = id;
    if (usage->sessions <= MOST_SESSIONS)
        usage->sessions++;
}

static void add_process(const char *pid, struct usage *usage)
{
    char path[300], text[1024];
    int64_t fields[FIELDS] = {0};

    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    if (read_text(path, text, sizeof text) <= 0)
        return;
    char *rest = strrchr(text, ')'); /* the name before it is the program's to choose */
    bool zombie = rest != NULL && strncmp(rest, ") Z", 3) == 0;
    for (int i = -1; rest != NULL && i < FIELDS; i++, rest = strchr(rest + 1, ' '))
        if (i > 0)
            fields[i] = strtoll(rest, NULL, 10);
    int64_t memory = fields[RESIDENT] * sysconf(_SC_PAGESIZE) - CODE_BYTES;
    usage->memory += memory > 0 ? memory : 0;
    usage->processes += !zombie;
    if (!zombie)
        add_session(fields[SESSION], usage);
    usage->threads += fields[THREADS];
    usage->ticks += fields[UTIME] + fields[STIME] + fields[CUTIME] + fields[CSTIME];
}

/* As resident memory counts, what processes share counts for each; here only once. */
static void add_share(const char *pid, struct usage *usage)
{
    char path[300], text[2048];

    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    const char *share = read_text(path, text, sizeof text) > 0 ? strstr(text, "\nPss:") : NULL;
    if (share == NULL) /* it keeps us from looking, or the kernel is an old one */
        add_process(pid, usage);
    else
        usage->memory += strtoll(share + 5, NULL, 10) * 1024;
    share = share == NULL ? NULL : strstr(share, "\nPss_Shmem:");
    if (share != NULL)
        usage->shared += strtoll(share + 11, NULL, 10) * 1024;
}

/* Inodes of memfds that have been counted: a set with places that follow one another. */
enum { MEMFDS = 8192 };
static ino_t counted[MEMFDS];

/* Whether INODE is none of those counted, of which it is one now if there is a place. */
static bool is_new(ino_t inode)
{
    size_t place = inode % MEMFDS;

    for (size_t i = 0; i < MEMFDS; i++, place = (place + 1) % MEMFDS) {
        if (counted[place] == inode)
            return false;
        if (counted[place] == 0) {
            counted[place] = inode;
            return true;
        }
    }
    return true;
}

/* The file system that the kernel has memfds in; 0 where there is none. */
static dev_t memfd_system(void)
{
    static dev_t system;
    struct stat about;

    if (system == 0) {
        int fd = memfd_create("", MFD_CLOEXEC);
        if (fd >= 0 && fstat(fd, &about) == 0)
            system = about.st_dev;
        if (fd >= 0)
            close(fd);
    }
    return system;
}

/* Adds what the memfds hold that process PID has open. */
static void add_memfds(const char *pid, struct usage *usage)
{
    char path[300];
    struct dirent *entry;
    struct stat about;

    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *descriptors = opendir(path);
    if (descriptors == NULL)
        return;
    while ((entry = readdir(descriptors)) != NULL)
        if (fstatat(dirfd(descriptors), entry->d_name, &about, 0) == 0 &&
            about.st_dev == memfd_system() && is_new(about.st_ino))
            usage->memory += (int64_t)about.st_blocks * 512;
    closedir(descriptors);
}

/* Calls ADD for each process in here besides this one. */
static struct usage of_processes(void (*add)(const char *pid, struct usage *usage))
{
    struct usage usage = {0};
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc != NULL && (entry = readdir(proc)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) != getpid())
            add(entry->d_name, &usage);
    if (proc != NULL)
        closedir(proc);
    return usage;
}

static int64_t bytes_in(const char *folder)
{
    struct statvfs system;

    if (statvfs(folder, &system) < 0)
        return 0;
    return (int64_t)((system.f_blocks - system.f_bfree) * system.f_frsize);
}

/* Bytes in memory of the segments of shmget(2) that are in no process's. */
static int64_t in_segments(void)
{
    char line[400];
    int64_t sum = 0;
    long long attached, resident;
    FILE *table = fopen("/proc/sysvipc/shm", "re");

    while (table != NULL && fgets(line, sizeof line, table) != NULL)
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lld %*s %*s %*s %*s %*s %*s %*s %lld",
                   &attached, &resident) == 2 && attached == 0)
            sum += resident;
    if (table != NULL)
        fclose(table);
    return sum;
}

static int64_t in_memfds(void)
{
    memset(counted, 0, sizeof counted);
    return of_processes(add_memfds).memory;
}

static int64_t in_files(void)
{
    return bytes_in("/tmp") + bytes_in("/dev") + bytes_in("/dev/shm") + in_segments();
}

/* Seconds that the processes which are there, and those that this one has buried, have worked. */
static int64_t worked(const struct usage *usage)
{
    struct rusage buried;

    getrusage(RUSAGE_CHILDREN, &buried);
    return usage->ticks / sysconf(_SC_CLK_TCK) + buried.ru_utime.tv_sec + buried.ru_stime.tv_sec;
}

struct crossing bounds_crossed(const struct bounds *bounds)
{
    struct usage usage = of_processes(add_process);
    int64_t files = bounds->memory ? in_files() : 0;
    int64_t memfds = bounds->memory && bounds->memfds ? in_memfds() : 0;

    if (bounds->processes && usage.processes > bounds->processes)
        return (struct crossing){TOO_MANY_PROCESSES, usage.processes};
    if (bounds->sessions && usage.sessions > bounds->sessions)
        return (struct crossing){TOO_MANY_SESSIONS, usage.sessions};
    if (bounds->work && usage.threads > CROWD && worked(&usage) >= bounds->work)
        return (struct crossing){TOO_MUCH_WORK, worked(&usage)};
    if (bounds->memory && usage.memory + files + memfds > bounds->memory) {
        usage = of_processes(add_share);
        int64_t unmapped = memfds > usage.shared ? memfds - usage.shared : 0;
        if (usage.memory + files + unmapped > bounds->memory)
            return (struct crossing){TOO_MUCH_MEMORY, usage.memory + files + unmapped};
    }
    return (struct crossing){NOTHING, 0};
}
