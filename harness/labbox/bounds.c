/* bounds.c - see bounds.h. */
#include "bounds.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What a process has in memory of its code and libraries, and is not counted. */
enum { CODE_BYTES = 2 * 1024 * 1024 };

/* Fields of /proc/PID/stat, counted from the one behind the name (proc(5)). */
enum { UTIME = 11, STIME, CUTIME, CSTIME, THREADS = 17, RESIDENT = 21, FIELDS };

struct usage {
    int64_t memory, processes, threads, ticks;
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

    if (bounds->processes && usage.processes > bounds->processes)
        return (struct crossing){TOO_MANY_PROCESSES, usage.processes};
    if (bounds->work && usage.threads > CROWD && worked(&usage) >= bounds->work)
        return (struct crossing){TOO_MUCH_WORK, worked(&usage)};
    if (bounds->memory && usage.memory + files > bounds->memory) {
        usage = of_processes(add_share);
        if (usage.memory + files > bounds->memory)
            return (struct crossing){TOO_MUCH_MEMORY, usage.memory + files};
    }
    return (struct crossing){NOTHING, 0};
}
