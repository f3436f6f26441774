/* watch.c - `labcap watch`.
 *
 * Whatever waits in the ring is drawn, then written at once; then it sleeps. What is drawn more
 * slowly than it comes fills the ring, and what finds no room there is counted and told. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "commands.h"
#include "ladder_screen.h"
#include "ladder_stream.h"
#include "messages.h"
#include "operands.h"
#include "reader.h"
#include "record_options.h"
#include "stop.h"
#include "trace.h"
#include "usage.h"
#include "watch_screen.h"

enum {
    FLOWS_MAX = 16384,       /* and no more memory than they need: then all begins anew */
    DATAGRAMS_MAX = 4 << 20, /* as each one's size is kept */
    NUMBERS_TO = 9999,       /* packets have columns for numbers up to this one, or more */
    SNAPLEN = 1024 /* all that is drawn; the ring has room for more packets if they are short */
};

struct watching {
    struct capture_options capture_options;
    struct capture *capture;
    char *filter;
    bool ascii, payload;
    enum color_when color;
    struct style style;
    uint64_t packets, numbers_to;
    uint64_t drops; /* told so far */
    uint64_t new_drops, drops_behind; /* not told yet: they are behind so many packets */
    struct trace trace;
    struct reading *reading;
    struct ladder_stream *stream;
    uint64_t datagrams; /* in this trace */
    bool failed;        /* the capture has */
    struct stop stop;
    struct watch_screen screen;
};

static int failure(const char *subject, const char *reason)
{
    message("labcap: %s: %s", subject, reason);
    return EXIT_UNTRUSTED;
}

/* ---- The screen ------------------------------------------------------------------------- */

static void measure_screen(struct watching *w)
{
    while (w->packets >= w->numbers_to)
        w->numbers_to = w->numbers_to * 10 + 9;
    w->style = screen_style(w->ascii, w->color, w->numbers_to);
}

/* ---- Packets ---------------------------------------------------------------------------- */

static void draw_packet(void *context, const struct packet *packet, const struct flow_note *note)
{
    struct watching *w = context;

    w->datagrams += note->flow->protocol == IP_UDP;
    ladder_stream_packet(w->stream, packet, note);
}

static void draw_other(void *context, const struct packet *packet)
{
    static const struct flow_note none;
    struct watching *w = context;

    ladder_stream_packet(w->stream, packet, &none);
}

static void begin_trace(struct watching *w)
{
    const struct trace_listener listener = {
        .packet = draw_packet, .other = draw_other, .context = w};

    w->datagrams = 0;
    w->stream = ladder_stream_live(&w->style, w->payload);
    w->reading = trace_begin(&w->trace, w->capture_options.interface,
                             capture_link_type(w->capture), &listener);
}

static void end_trace(struct watching *w)
{
    trace_end(w->reading);
    ladder_stream_points(w->stream, w->trace.two_points); /* not earlier: the last arrives late */
    ladder_stream_finish(w->stream);
    trace_free(&w->trace);
}

/* Everything known of a flow is kept as long as the trace: it must not last for ever. */
static void begin_anew(struct watching *w)
{
    end_trace(w);
    ladder_paragraph(&w->style, "There were too many connections and datagrams to remember them "
                     "all: from here on every one is new.");
    begin_trace(w);
}

static bool on_packet(void *context, uint64_t time_ns, uint32_t captured, uint32_t wire_len,
                      const uint8_t *bytes)
{
    struct watching *w = context;
    const struct reader_frame frame = {.number = ++w->packets,
                                       .time_ns = (int64_t)time_ns,
                                       .captured = captured,
                                       .wire_len = wire_len,
                                       .bytes = bytes,
                                       .chosen = true};

    if (w->stop.resized || w->packets > w->numbers_to) {
        w->stop.resized = false;
        measure_screen(w);
    }
    trace_take(w->reading, &frame);
    if (flow_count(w->trace.flows) >= FLOWS_MAX || w->datagrams >= DATAGRAMS_MAX)
        begin_anew(w);
    return w->screen.error == 0;
}

/* A hole in the ladder is told where it is: behind what the ring held when it was full. */
static void tell_drops(struct watching *w, bool ring_is_empty)
{
    struct capture_counts counts;
    char text[160];

    if (w->new_drops == 0) {
        if (!capture_count(w->capture, &counts) || counts.dropped == w->drops)
            return;
        w->new_drops = counts.dropped - w->drops;
        w->drops_behind = counts.received - counts.dropped;
    }
    if (!ring_is_empty && w->packets < w->drops_behind)
        return;
    snprintf(text, sizeof text, "(%" PRIu64 " packet%s lost here: more came than could be shown.)",
             w->new_drops, w->new_drops == 1 ? " was" : "s were");
    ladder_paragraph(&w->style, text);
    w->drops += w->new_drops;
    w->new_drops = 0;
}

/* ---- Watching --------------------------------------------------------------------------- */

/* Takes the signals that wait; sleeps first, if it may, until there is something to do. */
static void look_around(struct watching *w, bool sleep)
{
    struct pollfd fds[3] = {{.fd = capture_fd(w->capture), .events = POLLIN},
                            {.fd = w->stop.fd, .events = POLLIN},
                            {.fd = watch_screen_fd(&w->screen)}};

    if (poll(fds, 3, sleep ? -1 : 0) <= 0)
        return;
    if (fds[1].revents)
        stop_take(&w->stop);
    if (fds[2].revents) /* nothing was asked for: the reader has gone */
        w->screen.error = EPIPE;
}

static void watch_until_stop(struct watching *w)
{
    while (w->stop.count == 0 && w->screen.error == 0) {
        int taken = capture_take(w->capture, on_packet, w);

        if (taken < 0 && w->screen.error == 0) {
            w->failed = true;
            return;
        }
        tell_drops(w, taken == 0);
        ladder_stream_flush(w->stream);
        look_around(w, taken == 0);
    }
    if (w->screen.error == 0 && capture_drain(w->capture, on_packet, w) < 0 &&
        w->screen.error == 0)
        w->failed = true;
}

/* Tells how everything ended. */
static int finish(struct watching *w)
{
    struct capture_counts counts = {0};
    int status = EXIT_MET;

    if (w->stop.count > 0 && isatty(STDOUT_FILENO))
        ladder_paragraph(&w->style, ""); /* behind the terminal's ^C */
    tell_drops(w, true);
    end_trace(w);
    fflush(stdout);
    if (w->failed)
        status = failure(w->capture_options.interface, capture_error(w->capture));
    if (w->screen.error != 0 && !watch_screen_left(&w->screen))
        status = failure("standard output", strerror(w->screen.error));
    capture_count(w->capture, &counts);
    message("%" PRIu64 " packets, %" PRIu64 " drops", w->packets, counts.dropped);
    return counts.dropped > 0 ? EXIT_UNTRUSTED : status;
}

static int watch(struct watching *w)
{
    int status;

    if (!stop_open(&w->stop))
        return failure("signals", strerror(errno));
    if (!watch_screen_open(&w->screen, &w->stop))
        return failure("standard output", strerror(errno));
    w->numbers_to = NUMBERS_TO;
    measure_screen(w);
    begin_trace(w);
    message("watching %s%s%s; Ctrl-C ends it", w->capture_options.interface,
            w->filter != NULL ? ", " : "", w->filter != NULL ? w->filter : "");
    watch_until_stop(w);
    status = finish(w);
    watch_screen_close(&w->screen);
    return status;
}

/* ---- The command ------------------------------------------------------------------------ */

/* Returns 0, an exit status, or -1 when only help is wanted. */
static int parse_options(struct watching *w, int argc, char **argv)
{
    int option;

    while ((option = usage_option("watch", argc, argv)) != -1) {
        if (option == OPTION_HELP)
            return -1;
        if (option == 'i')
            w->capture_options.interface = optarg;
        if (option == 's' && !option_snaplen(optarg, &w->capture_options.snaplen))
            return usage_error("watch", "-s: a number of bytes is needed, from 1 to 262144");
        if (option == OPTION_COLOR && !parse_color(optarg, &w->color))
            return usage_error("watch", "--color: auto, always or never is needed");
        if (option == '?')
            return usage_error("watch", NULL);
        w->ascii = w->ascii || option == OPTION_ASCII;
        w->payload = w->payload || option == OPTION_PAYLOAD;
    }
    if (w->capture_options.interface == NULL || *w->capture_options.interface == '\0')
        return usage_error("watch", "which interface? (-i IFACE)");
    w->filter = join_words(argv + optind, argc - optind);
    w->capture_options.filter = w->filter;
    return 0;
}

int cmd_watch(int argc, char **argv)
{
    struct watching w = {.capture_options.snaplen = SNAPLEN};
    char error[1024];
    enum capture_result result;
    int status = parse_options(&w, argc, argv);

    if (status != 0)
        return status < 0 ? usage_help("watch") : status;
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) { /* else the capture would become stdout */
        free(w.filter);
        return failure("standard output", strerror(errno));
    }
    result = capture_open(&w.capture, &w.capture_options, error, sizeof error);
    if (result == CAPTURE_BAD_FILTER)
        status = usage_error("watch", error);
    else if (result != CAPTURE_OK)
        status = failure("watch", error);
    else
        status = watch(&w);
    if (w.capture != NULL)
        capture_close(w.capture);
    free(w.filter);
    return status;
}
