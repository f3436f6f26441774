/* `labcap record`: live packets into a pcapng file.
 *
 * The order of things is the point:
 *   capture open -> FILE open, its head written -> "ready" -> packets ... -> stop
 *   -> ring drained -> counts written -> FILE closed -> summary -> capture closed
 * The capture is closed last because that takes the kernel longest (it waits for every
 * processor to let go of the socket), and nobody who waits for the summary needs to. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "pcapng.h"
#include "trace.h"

enum { RING_MIB_MAX = 2047 }; /* libpcap counts its bytes in an int */

struct options {
    struct capture_options capture;
    const char *file;
    int ready_fd; /* -1: a line on stderr */
    bool until_eof;
};

struct recording {
    struct options options;
    struct capture *capture;
    struct pcapng_writer writer;
    const char *name; /* of the output, for messages */
    int out_fd;
    bool regular;     /* the output is a file, not a pipe or a device */
    int signal_fd;
    int stops;        /* signals so far, the end of stdin counts as one */
};

/* ---- Usage ------------------------------------------------------------------------------ */

static const char usage_text[] =
    "usage: labcap record -i IFACE -w FILE [-s SNAPLEN] [-B MIB] [--ready-fd FD]\n"
    "                     [--until-eof] [FILTER]\n";

static const char help_text[] =
    "\n"
    "Captures from IFACE into FILE (pcapng, nanosecond stamps) until SIGINT or SIGTERM.\n"
    "Every packet that the kernel has seen by then is in FILE. FILTER is libpcap's (man 7\n"
    "pcap-filter).\n"
    "\n"
    "  -i IFACE       the network interface, such as lo\n"
    "  -w FILE        where to write; - is standard output\n"
    "  -s SNAPLEN     bytes kept of each packet, 1 to 262144 (262144)\n"
    "  -B MIB         size of the kernel's buffer (16; 64 where frames can be 64 KiB)\n"
    "  --ready-fd FD  write a newline to descriptor FD and close it, once not one later\n"
    "                 packet can be missed; without it, the line `ready` goes to stderr\n"
    "  --until-eof    stop at the end of standard input, too\n"
    "  --help         this text\n"
    "\n"
    "At the end, `N packets, M drops` on stderr. Needs CAP_NET_RAW: run it as root, inside\n"
    "`unshare -Urn`, or after `sudo setcap cap_net_raw+ep labcap`.\n"
    "\n"
    "Exit status: 0 every packet is recorded; 2 wrong usage; 3 the trace cannot be trusted\n"
    "(drops, the interface went away) or could not be recorded (no permission, full disk).\n";

__attribute__((format(printf, 1, 2)))
static int usage_error(const char *format, ...)
{
    va_list arguments;

    fputs("labcap: record: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n%s", usage_text);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, int min, int max, int *number)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || *text == ' ' || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}

/* Returns 0; or an exit status, with what is wrong already said. */
static int take_option(struct options *o, int option)
{
    switch (option) {
    case 'i':
        o->capture.interface = optarg;
        return 0;
    case 'w':
        o->file = optarg;
        return 0;
    case 's':
        if (!parse_number(optarg, 1, PCAPNG_SNAPLEN_MAX, &o->capture.snaplen))
            return usage_error("-s: '%s' is not a number from 1 to %d", optarg,
                               PCAPNG_SNAPLEN_MAX);
        return 0;
    case 'B':
        if (!parse_number(optarg, 1, RING_MIB_MAX, &o->capture.ring_mib))
            return usage_error("-B: '%s' is not a number from 1 to %d", optarg, RING_MIB_MAX);
        return 0;
    case 'r':
        if (!parse_number(optarg, 0, INT_MAX, &o->ready_fd) || fcntl(o->ready_fd, F_GETFD) < 0)
            return usage_error("--ready-fd: '%s' is not an open descriptor", optarg);
        return 0;
    case 'e':
        o->until_eof = true;
        return 0;
    default: /* getopt has said what is wrong */
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
}

/* Returns 0, an exit status, or -1 when only the help was wanted. */
static int parse_options(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        { "ready-fd", required_argument, NULL, 'r' },
        { "until-eof", no_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    *o = (struct options){ .capture.snaplen = PCAPNG_SNAPLEN_MAX, .ready_fd = -1 };
    optind = 1;
    while ((option = getopt_long(argc, argv, "i:w:s:B:", names, NULL)) != -1) {
        int status;

        if (option == 'h')
            return -1;
        status = take_option(o, option);
        if (status != 0)
            return status;
    }
    if (!o->capture.interface || !*o->capture.interface)
        return usage_error("which interface? (-i IFACE)");
    if (!o->file || !*o->file)
        return usage_error("where to write? (-w FILE)");
    o->capture.filter = join_words(argv + optind, argc - optind);
    return 0;
}

static int failure(const char *subject, const char *reason)
{
    fprintf(stderr, "labcap: %s: %s\n", subject, reason);
    return EXIT_UNTRUSTED;
}

/* ---- Signals ---------------------------------------------------------------------------- */

/* Signals are read from a descriptor: no race with poll(), and they are seen however busy the
 * interface is. */
static bool watch_signals(struct recording *r)
{
    sigset_t set;
    struct sigaction hangup;

    signal(SIGPIPE, SIG_IGN); /* write() tells */
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&set, SIGHUP); /* nohup keeps working */
    sigprocmask(SIG_BLOCK, &set, NULL);
    r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signal_fd >= 0;
}

static void take_signals(struct recording *r)
{
    struct signalfd_siginfo info;

    while (read(r->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        r->stops++;
}

static void take_stdin(struct recording *r)
{
    char unused[4096];
    ssize_t n = read(STDIN_FILENO, unused, sizeof unused);

    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        r->stops++;
}

/* ---- Output ----------------------------------------------------------------------------- */

static bool open_output(struct recording *r)
{
    struct stat status;

    if (strcmp(r->options.file, "-") == 0) {
        r->name = "standard output";
        r->out_fd = STDOUT_FILENO;
    } else {
        r->name = r->options.file;
        r->out_fd = open(r->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    if (r->out_fd < 0 || fstat(r->out_fd, &status) < 0)
        return false;
    r->regular = S_ISREG(status.st_mode);
    return true;
}

/* A failed output is no trace: its file goes, unless another one took its name meanwhile. */
static void discard_output(struct recording *r)
{
    struct stat ours, named;

    if (r->regular && r->out_fd != STDOUT_FILENO && fstat(r->out_fd, &ours) == 0 &&
        stat(r->name, &named) == 0 && ours.st_dev == named.st_dev &&
        ours.st_ino == named.st_ino)
        unlink(r->name);
}

/* Waits until a pipe has room. A reader that never reads must not make the recorder deaf: the
 * second signal ends the wait. */
static bool wait_for_room(struct recording *r)
{
    struct pollfd fds[2] = { { .fd = r->out_fd, .events = POLLOUT },
                             { .fd = r->signal_fd, .events = POLLIN } };

    while (fds[0].revents == 0) {
        if (r->stops > 1) {
            errno = EINTR;
            return false;
        }
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return false;
        if (fds[1].revents)
            take_signals(r);
    }
    return true;
}

static bool write_output(void *context, const uint8_t *bytes, size_t size)
{
    struct recording *r = context;

    while (size > 0) {
        /* What poll() promises to take without waiting is PIPE_BUF bytes. */
        size_t chunk = r->regular || size < PIPE_BUF ? size : PIPE_BUF;
        ssize_t n;

        if (!r->regular && !wait_for_room(r))
            return false;
        n = write(r->out_fd, bytes, chunk);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
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

/* Records until it is told to stop. Returns false if the capture or the output failed. */
static bool record_until_stop(struct recording *r)
{
    struct pollfd fds[3] = {
        { .fd = capture_fd(r->capture), .events = POLLIN },
        { .fd = r->signal_fd, .events = POLLIN },
        { .fd = r->options.until_eof ? STDIN_FILENO : -1, .events = POLLIN },
    };

    while (r->stops == 0) {
        int taken = capture_take(r->capture, on_packet, r);

        if (taken < 0 || r->writer.failed)
            return false;
        /* Nothing waits: let readers of FILE see what there is, then sleep. */
        if (taken == 0 && !pcapng_flush(&r->writer))
            return false;
        if (poll(fds, 3, taken > 0 ? 0 : -1) < 0)
            continue; /* only EINTR can be, when a debugger stops the process */
        if (fds[1].revents)
            take_signals(r);
        if (fds[2].revents)
            take_stdin(r);
    }
    return capture_drain(r->capture, on_packet, r) == 0 && !r->writer.failed;
}

static uint64_t wall_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Writes the counts and completes FILE, then says what is in it. */
static int finish(struct recording *r, bool whole)
{
    struct capture_counts counts = { 0 };
    int status = EXIT_MET;

    if (!r->writer.failed) {
        if (!whole)
            status = failure(r->options.capture.interface, capture_error(r->capture));
        /* An interface that has gone can be asked for the counts all the same. */
        capture_count(r->capture, &counts);
        pcapng_statistics(&r->writer, wall_clock_ns(), counts.received, counts.dropped);
        pcapng_flush(&r->writer);
    }
    /* A network file system may report a full disk at close() only. */
    if (r->writer.failed || (r->regular && fsync_free_close(r) < 0)) {
        status = failure(r->name, strerror(errno));
        discard_output(r);
        return status;
    }
    fprintf(stderr, "%llu packets, %llu drops\n", (unsigned long long)r->packets,
            (unsigned long long)counts.dropped);
    return counts.dropped > 0 ? EXIT_UNTRUSTED : status;
}
