/* transfer - see transfer.h. */
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data.h"
#include "files.h"
#include "net.h"
#include "paths.h"
#include "session.h"

/* Why a system call on file or data connection has failed. */
static enum outcome outcome_of(int error)
{
    switch (error) {
    case ENOSPC: case EDQUOT: case EFBIG:
        return DISK_FULL;
    case EIO:
        return FILE_FAILED;
    default:
        return BROKEN;
    }
}

static void tell(struct session *session, enum outcome outcome)
{
    reply(session, outcome,
          outcome == DONE ? "All of it is transferred."
          : outcome == BROKEN ? "The data connection broke off."
          : outcome == DISK_FULL ? "The disk is full; nothing is kept."
          : "The file cannot be read, written or named.");
}

/* After a FIN the client could take what it has for the whole, if it did not
 * wait for the reply; after a reset it cannot. */
void end_transfer(struct session *session, int data_fd,
                  enum outcome outcome)
{
    if (outcome != DONE)
        close_with_reset(data_fd);
    else if (close(data_fd) < 0)
        complain("close");
    tell(session, outcome);
}

void refuse(struct session *session, const char *name)
{
    int why = errno;

    forget_data(session);
    reply(session, outcome_of(why) == DISK_FULL ? DISK_FULL : 550,
          "%s: %s", name, strerror(why));
}

/* Returns a descriptor of the file NAME, and its status; or -1 and errno. */
static int open_named(const struct session *session, const char *name,
                      struct stat *status)
{
    char path[PATH_MAX];
    int file_fd = path_of(session, name, path)
        ? open_file_in(session->served->folder, path) : -1;

    if (file_fd >= 0 && fstat(file_fd, status) < 0) {
        close(file_fd);
        file_fd = -1;
    }
    return file_fd;
}

/* -- Type A --------------------------------------------------------------- */

/*
 * Translates LEN bytes between our line end, LF, and the network's, CR LF.
 * Returns how many there are in TO, which has room for twice as many. CR_HELD
 * is for the next call: the last byte was a CR, and is still kept back, as it
 * is not to be written if LF follows.
 */
static size_t translate(bool to_network, const char *from, size_t len,
                        char *to, bool *cr_held)
{
    size_t made = 0;

    /* STEP 14: LF becomes CR LF on its way out, CR LF becomes LF on its way
     * in. Any other CR is data and stays. */
    for (size_t i = 0; i < len; i++) {
        bool is_cr = from[i] == '\r' && !to_network;
        if (*cr_held && from[i] != '\n')
            to[made++] = '\r';
        if (from[i] == '\n' && to_network)
            to[made++] = '\r';
        if (!is_cr)
            to[made++] = from[i];
        *cr_held = is_cr;
    }
    /* END STEP 14; stub:
    (void)to_network;
    (void)cr_held;
    memcpy(to, from, len);
    made = len; */

    return made;
}

/* -- Sending a file ------------------------------------------------------- */

/* Both send the first SIZE bytes of the file: it may grow meanwhile. Should
 * it shrink, what was sent is no longer any file, and that is FILE_FAILED. */
static enum outcome send_bytes(int data_fd, int file_fd, off_t size)
{
    /* STEP 11: let the kernel copy from the file to the connection; the bytes
     * need not come to us and go back. It may do less than it was asked to,
     * and counts in SENT what it has done. Of a larger PART it would hold back
     * some for the next segment, while the client waits. */
    enum { PART = 65536 };
    for (off_t sent = 0; sent < size; ) {
        size_t len = size - sent < PART ? (size_t)(size - sent) : PART;
        ssize_t n = sendfile(data_fd, file_fd, &sent, len);
        if (n == 0)
            return FILE_FAILED;
        if (n < 0 && errno != EINTR)
            return outcome_of(errno);
    }
    /* END STEP 11; stub:
    (void)data_fd;
    (void)file_fd;
    (void)size;
    (void)outcome_of; */

    return DONE;
}

static enum outcome send_text(int data_fd, int file_fd, off_t size)
{
    char bytes[16384], text[2 * sizeof bytes];
    bool unused = false;

    while (size > 0) {
        ssize_t n = read_some(file_fd, bytes, size < (off_t)sizeof bytes
                                              ? (size_t)size : sizeof bytes);
        if (n <= 0)
            return FILE_FAILED;
        size -= n;
        size_t len = translate(true, bytes, (size_t)n, text, &unused);
        if (send_all(data_fd, text, len) < 0)
            return BROKEN;
    }
    return DONE;
}

void do_retr(struct session *session, char *name)
{
    struct stat status;
    int data_fd, file_fd = open_named(session, name, &status);

    if (file_fd < 0) {
        refuse(session, name);
        return;
    }
    data_fd = open_data(session);
    if (data_fd >= 0)
        end_transfer(session, data_fd,
                     (session->ascii ? send_text : send_bytes)
                         (data_fd, file_fd, status.st_size));
    close(file_fd);
}

void do_size(struct session *session, char *name)
{
    struct stat status;
    int file_fd;

    if (session->ascii) {               /* we would have to read it all */
        reply(session, 550, "Only in type I.");
    } else if ((file_fd = open_named(session, name, &status)) < 0) {
        reply(session, 550, "%s: %s", name, strerror(errno));
    } else {
        reply(session, 213, "%lld", (long long)status.st_size);
        close(file_fd);
    }
}

/* -- Receiving a file ----------------------------------------------------- */

/* The end of file on the data connection may be the end of the client, which
 * died half-way: then its control connection has ended as well. */
static bool is_client_there(const struct session *session)
{
    char unused;
    ssize_t n = recv(session->control_fd, &unused, 1, MSG_PEEK | MSG_DONTWAIT);

    return session->lines.next < session->lines.end || n > 0
        || (n < 0 && errno == EAGAIN);
}

static enum outcome receive_file(const struct session *session, int data_fd,
                                 struct saving *saving)
{
    char bytes[65536], text[2 * sizeof bytes];
    bool cr_held = false;
    ssize_t n = 0;

    /* STEP 13: save what comes, up to the end of file. A reset, or nothing
     * for too long, is no end of file; a full disk is told. */
    while ((n = read_some(data_fd, bytes, sizeof bytes)) > 0) {
        size_t len = (size_t)n;
        if (session->ascii)
            len = translate(false, bytes, len, text, &cr_held);
        if (!save(saving, session->ascii ? text : bytes, len))
            return outcome_of(errno);
    }
    /* END STEP 13; stub:
    (void)data_fd;
    (void)bytes;
    (void)text; */

    if (n < 0 || !is_client_there(session))
        return BROKEN;
    return !cr_held || save(saving, "\r", 1) ? DONE : outcome_of(errno);
}

void do_stor(struct session *session, char *name)
{
    char path[PATH_MAX];
    struct saving saving;
    enum outcome outcome;
    int data_fd;

    errno = EACCES;
    if (session->served->user == NULL || !path_of(session, name, path)
        || !begin_saving(&saving, session->served->folder, path)) {
        refuse(session, name);
        return;
    }
    data_fd = open_data(session);
    if (data_fd < 0) {
        give_up_saving(&saving);
        return;
    }
    outcome = receive_file(session, data_fd, &saving);
    if (outcome != DONE)
        give_up_saving(&saving);
    else if (!finish_saving(&saving, true))
        outcome = outcome_of(errno) == DISK_FULL ? DISK_FULL : FILE_FAILED;

    if (outcome == DONE || outcome == BROKEN) {
        end_transfer(session, data_fd, outcome);
    } else {                            /* the client may still be sending: */
        tell(session, outcome);         /* a reset would not tell it why    */
        close_first(data_fd, 10);
    }
}
