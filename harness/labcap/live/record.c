/* `labcap record`: live packets into a pcapng file.
 *
 * The order of things is the point:
 *   capture open -> FILE open, its head written -> "ready" -> packets ... -> stop
 *   -> ring drained -> counts written -> FILE closed -> summary -> capture closed
 * The capture is closed last because that takes the kernel longest (it waits for every
 * processor to let go of the socket), and nobody who waits for the summary needs to. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "messages.h"
#include "pcapng.h"
#include "record_options.h"
#include "stop.h"
#include "trace.h"
#include "usage.h"

enum {
    ROUND = 4096, /* packets between two looks at the signals */
    FEW = 15,     /* packets that were not worth a nap */
    UNTIL_A_PACKET = -1
};

struct recording {
    struct record_options options;
    struct capture *capture;
    struct pcapng_writer writer;
    const char *name; /* of the output, for messages */
    int out_fd;
    int out_error;    /* errno of the write that failed */
    struct stat out_status;
    bool regular;     /* the output is a file, not a pipe or a device */
    uint64_t packets;
    struct stop stop; /* the end of stdin counts as a signal */
};

/* One line about what could not be done. */
static int failure(const char *subject, const char *reason)
{
    message("labcap: %s: %s", subject, reason);
    return EXIT_UNTRUSTED;
}

/* ---- The end of stdin ------------------------------------------------------------------- */

static void take_stdin(struct recording *r)
{
    char unused[4096];
    ssize_t n = read(STDIN_FILENO, unused, sizeof unused);

    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        r->stop.count++;
}

/* ---- Output ----------------------------------------------------------------------------- */

static bool open_output(struct recording *r)
{
    if (strcmp(r->options.file, "-") == 0) {
        r->name = "standard output";
        r->out_fd = STDOUT_FILENO;
    } else {
        r->name = r->options.file;
        r->out_fd = open(r->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    if (r->out_fd < 0 || fstat(r->out_fd, &r->out_status) < 0)
        return false;
    r->regular = S_ISREG(r->out_status.st_mode);
    return true;
}

/* A failed output is no trace: its file goes, unless another one took its name meanwhile. */
static void discard_output(const struct recording *r)
{
    struct stat named;

    if (r->regular && r->out_fd != STDOUT_FILENO && stat(r->name, &named) == 0 &&
        named.st_dev == r->out_status.st_dev && named.st_ino == r->out_status.st_ino)
        unlink(r->name);
}

static bool write_output(void *context, const uint8_t *bytes, size_t size)
{
    struct recording *r = context;

    while (size > 0) {
        /* What poll() promises to take without waiting is PIPE_BUF bytes. */
        size_t chunk = r->regular || size < PIPE_BUF ? size : PIPE_BUF;
        ssize_t n;

        n = r->regular || stop_wait_for_room(&r->stop, r->out_fd, -1)
                ? write(r->out_fd, bytes, chunk)
                : -1;
        if (n < 0 && (r->stop.count > 1 || (errno != EINTR && errno != EAGAIN))) {
            r->out_error = errno;
            return false;
        }
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return true;
}

static bool on_packet(void *context, uint64_t time_ns, uint32_t captured, uint32_t wire_len,
                      const uint8_t *bytes)
{
    struct recording *r = context;

    r->packets++;
    pcapng_packet(&r->writer, time_ns, captured, wire_len, bytes);
    return !r->writer.failed;
}

static bool write_head(struct recording *r)
{
    struct pcapng_interface interface = {
        .name = r->options.capture.interface,
        .filter = r->options.capture.filter,
        .link_type = capture_link_type(r->capture),
        .snaplen = (uint32_t)r->options.capture.snaplen,
    };

    pcapng_begin(&r->writer, &interface);
    return pcapng_flush(&r->writer);
}

/* ---- The recording ---------------------------------------------------------------------- */

static bool announce_ready(const struct recording *r)
{
    int fd = r->options.ready_fd;
    const char *text = fd >= 0 ? "\n" : "ready\n";
    size_t size = strlen(text);
    bool done = write(fd >= 0 ? fd : STDERR_FILENO, text, size) == (ssize_t)size;

    if (fd > STDERR_FILENO)
        close(fd);
    return done;
}

/* Takes the signals that wait; sleeps first, for so long, or with UNTIL_A_PACKET until there is
 * something to do. */
static void look_around(struct recording *r, long sleep_ns)
{
    struct pollfd fds[3] = {
        { .fd = r->stop.fd, .events = POLLIN },
        { .fd = r->options.until_eof ? STDIN_FILENO : -1, .events = POLLIN },
        { .fd = sleep_ns == UNTIL_A_PACKET ? capture_fd(r->capture) : -1, .events = POLLIN },
    };
    struct timespec sleep = { .tv_nsec = sleep_ns };

    if (ppoll(fds, 3, sleep_ns == UNTIL_A_PACKET ? NULL : &sleep, NULL) < 0)
        return; /* only EINTR can be, when a debugger stops the process */
    if (fds[0].revents)
        stop_take(&r->stop);
    if (fds[1].revents)
        take_stdin(r);
}

/* Records until it is told to stop. Returns false if the capture or the output failed.
 *
 * To be woken for a packet costs more than to take it, and whoever sends it pays. So where packets
 * come, they may gather a while, as long as the ring surely has room. */
static bool record_until_stop(struct recording *r)
{
    long patience_ns = capture_patience_ns(r->capture);
    bool napped = false;

    for (int gathered = 0; r->stop.count == 0;) {
        int taken = capture_take(r->capture, on_packet, r);

        if (taken < 0 || r->writer.failed)
            return false;
        gathered += taken;
        if (taken > 0 && gathered < ROUND)
            continue;
        if (taken > 0) {
            look_around(r, 0);
        } else {
            /* Nothing waits: let readers of FILE see what there is, then sleep. */
            if (!pcapng_flush(&r->writer))
                return false;
            napped = patience_ns > 0 && gathered > (napped ? FEW : 0);
            look_around(r, napped ? patience_ns : UNTIL_A_PACKET);
        }
        gathered = 0;
    }
    return capture_drain(r->capture, on_packet, r) == 0 && !r->writer.failed;
}

static uint64_t wall_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Writes the counts and completes FILE, then says what is in it. `whole` is false if the capture
 * or the output has failed. */
static int finish(struct recording *r, bool whole)
{
    struct capture_counts counts = { 0 };
    int status = EXIT_MET;

    if (!whole && !r->writer.failed)
        status = failure(r->options.capture.interface, capture_error(r->capture));
    /* An interface that has gone away can be asked for its counts all the same. */
    capture_count(r->capture, &counts);
    pcapng_statistics(&r->writer, wall_clock_ns(), counts.received, counts.dropped);
    pcapng_flush(&r->writer);
    /* A network file system may report a full disk at close() only. */
    if (close(r->out_fd) < 0 && !r->writer.failed) {
        r->writer.failed = true;
        r->out_error = errno;
    }
    if (r->writer.failed) {
        status = failure(r->name, strerror(r->out_error));
        discard_output(r);
        return status;
    }
    message("%llu packets, %llu drops", (unsigned long long)r->packets,
            (unsigned long long)counts.dropped);
    return counts.dropped > 0 ? EXIT_UNTRUSTED : status;
}

static int record_into_output(struct recording *r)
{
    int status;

    if (!pcapng_open(&r->writer, write_output, r))
        return failure(r->name, "out of memory");
    if (!write_head(r)) {
        status = failure(r->name, strerror(r->out_error));
        discard_output(r);
    } else if (!announce_ready(r)) {
        status = failure("ready", strerror(errno));
        discard_output(r);
    } else {
        status = finish(r, record_until_stop(r));
    }
    pcapng_close(&r->writer);
    return status;
}

int cmd_record(int argc, char **argv)
{
    struct recording r = { 0 };
    char error[1024];
    enum capture_result result;
    int status = record_options_parse(&r.options, argc, argv);

    if (status < 0)
        return usage_help("record");
    if (status > 0)
        return status;
    result = capture_open(&r.capture, &r.options.capture, error, sizeof error);
    if (result == CAPTURE_BAD_FILTER)
        status = usage_error("record", error);
    else if (result != CAPTURE_OK)
        status = failure("record", error);
    else if (!open_output(&r))
        status = failure(r.name, strerror(errno));
    else if (!stop_open(&r.stop))
        status = failure("signals", strerror(errno));
    else
        status = record_into_output(&r);
    if (r.capture)
        capture_close(r.capture);
    free(r.options.filter);
    return status;
}
