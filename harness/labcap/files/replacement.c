/* replacement.c - see replacement.h. */
#include "replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Older headers have them in other places. */
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif

bool replacement_fail(struct replacement *r, const char *format, ...)
{
    int used = snprintf(r->error, r->error_size, "%s: ", r->path);
    va_list arguments;

    if (used < 0 || (size_t)used >= r->error_size)
        return false;
    va_start(arguments, format);
    vsnprintf(r->error + used, r->error_size - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_by_errno(struct replacement *r)
{
    return replacement_fail(r, "%s", strerror(errno));
}

/* ---- The old file ----------------------------------------------------------------------- */

static void hold_signals(struct replacement *r)
{
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigaddset(&ends, SIGQUIT);
    sigprocmask(SIG_BLOCK, &ends, &r->signals_before);
    signal(SIGXFSZ, SIG_IGN); /* write() tells */
    signal(SIGIO, SIG_IGN);   /* somebody wants to write while is_being_written() asks */
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Files of another machine: whether a lease is granted says nothing about who writes. */
static bool is_remote(int fd)
{
    static const uint32_t remote[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC,
                                      SMB2_SUPER_MAGIC};
    struct statfs status;

    if (fstatfs(fd, &status) != 0)
        return true;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if ((uint32_t)status.f_type == remote[i])
            return true;
    return false;
}

/* A recorder that has the file open would go on writing into one that has lost its name. The
 * kernel grants a lease on a file that nobody writes to; where it knows no leases nobody can
 * tell. */
static bool is_being_written(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    return errno == EAGAIN && !is_remote(fd);
}

bool replacement_open(struct replacement *r, const char *path, const struct stat *as_read,
                      char *error, size_t error_size)
{
    *r = (struct replacement){.path = path, .error = error, .error_size = error_size};
    hold_signals(r);
    if (realpath(path, r->file) == NULL || access(r->file, W_OK) != 0)
        return fail_by_errno(r);
    r->in = fopen(r->file, "rbe");
    if (r->in == NULL || fstat(fileno(r->in), &r->status) != 0)
        return fail_by_errno(r);
    if (!S_ISREG(r->status.st_mode))
        return replacement_fail(r, "not a file on a disk");
    if (!same_file(&r->status, as_read))
        return replacement_fail(r, "changed while it was read");
    if (is_being_written(fileno(r->in)))
        return replacement_fail(r, "still being written to");
    setvbuf(r->in, r->in_buffer, _IOFBF, sizeof r->in_buffer);
    return true;
}

/* ---- The new one ------------------------------------------------------------------------ */

bool replacement_write(struct replacement *r, const void *bytes, size_t size)
{
    return fwrite(bytes, 1, size, r->out) == size || fail_by_errno(r);
}

bool replacement_patch(struct replacement *r, uint64_t at, const void *bytes, size_t size)
{
    if (fflush(r->out) != 0 ||
        pwrite(fileno(r->out), bytes, size, (off_t)at) != (ssize_t)size)
        return fail_by_errno(r);
    return true;
}

static bool copy_beginning(struct replacement *r, uint64_t size)
{
    static uint8_t buffer[REPLACEMENT_BUFFER];
    uint64_t from = 0;

    while (from < size) {
        size_t want = size - from < sizeof buffer ? (size_t)(size - from) : sizeof buffer;
        ssize_t n = pread(fileno(r->in), buffer, want, (off_t)from);

        if (n < 0)
            return fail_by_errno(r);
        if (n == 0)
            return replacement_fail(r, "changed while it was read");
        if (!replacement_write(r, buffer, (size_t)n))
            return false;
        from += (uint64_t)n;
    }
    return true;
}

bool replacement_begin(struct replacement *r, uint64_t same)
{
    int folder = (int)(strrchr(r->file, '/') - r->file), fd;

    snprintf(r->temporary, sizeof r->temporary, "%.*s/.labcap-XXXXXX", folder, r->file);
    fd = mkostemp(r->temporary, O_CLOEXEC);
    if (fd < 0) {
        *r->temporary = '\0';
        return replacement_fail(r, "no second file beside it: %s", strerror(errno));
    }
    r->out = fdopen(fd, "w");
    if (r->out == NULL) {
        close(fd);
        return fail_by_errno(r);
    }
    setvbuf(r->out, r->out_buffer, _IOFBF, sizeof r->out_buffer);
    return copy_beginning(r, same);
}

bool replacement_commit(struct replacement *r)
{
    struct stat now;
    int closed;

    if (r->out == NULL)
        return true;
    /* chmod() last: a change of owner takes set-user-ID and its like away. */
    if (fflush(r->out) != 0 ||
        (fchown(fileno(r->out), r->status.st_uid, r->status.st_gid) != 0 && errno != EPERM &&
         errno != EINVAL) ||
        fchmod(fileno(r->out), r->status.st_mode & 07777) != 0)
        return fail_by_errno(r);
    closed = fclose(r->out);
    r->out = NULL;
    if (closed != 0)
        return fail_by_errno(r);
    if (stat(r->file, &now) != 0 || !same_file(&now, &r->status))
        return replacement_fail(r, "changed while it was read");
    if (rename(r->temporary, r->file) != 0)
        return fail_by_errno(r);
    *r->temporary = '\0';
    return true;
}

void replacement_close(struct replacement *r)
{
    if (r->out != NULL)
        fclose(r->out);
    if (*r->temporary != '\0')
        unlink(r->temporary);
    if (r->in != NULL)
        fclose(r->in);
    sigprocmask(SIG_SETMASK, &r->signals_before, NULL);
}
