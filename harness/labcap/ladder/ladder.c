/* ladder.c - the command `show`: a trace is read, and drawn by a ladder_stream meanwhile. */
#include "ladder.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "commands.h"
#include "json.h"
#include "ladder_screen.h"
#include "ladder_stream.h"
#include "memory.h"
#include "messages.h"
#include "operands.h"
#include "trace.h"
#include "unpack.h"
#include "usage.h"

enum {
    ERROR_SIZE = 512,
    PACKET_SIZE_MIN = 50,     /* in a file, its record header included */
    PACKETS_EXPECTED = 9999999 /* from a pipe, or a packed file */
};

struct show_options {
    const char *filter;
    char **logs;
    size_t log_count;
    uint64_t only; /* flow id; 0: all */
    uint64_t max_flows;
    uint64_t rows; /* 0: all */
    bool beside; /* each file has a log of its own */
    bool ascii, payload, all, merge, json;
    enum color_when color;
};

struct show {
    const struct show_options *options;
    struct style style;
    struct ladder_stream *stream;
    char *own_log;               /* the file's, NULL if it has none; calls know it by that name */
    struct calls *calls;         /* NULL none */
    char no_calls[ERROR_SIZE];   /* why there are none; "" where none are wanted, or all is well */
};

/* ---- What the trace tells ---- */

static void take_packet(void *context, const struct packet *packet, const struct flow_note *note)
{
    struct show *show = context;

    if (show->calls != NULL)
        calls_packet(show->calls, packet, note);
    ladder_stream_packet(show->stream, packet, note);
}

static void expect(void *context, const struct flow *flow)
{
    const struct show *show = context;

    ladder_stream_expect(show->stream, flow);
}

static void take_other(void *context, const struct packet *packet)
{
    static const struct flow_note none;
    struct show *show = context;

    ladder_stream_packet(show->stream, packet, &none);
}

static void take_datagram(void *context, uint64_t packet, uint64_t fragments)
{
    struct show *show = context;

    ladder_stream_datagram(show->stream, packet, fragments);
}

static void take_fate(void *context, const struct fate *fate)
{
    struct show *show = context;

    if (show->calls != NULL)
        calls_fate(show->calls, fate);
    ladder_stream_fate(show->stream, fate);
}

static void take_points(void *context, bool two)
{
    struct show *show = context;

    ladder_stream_points(show->stream, two);
}

/* ---- Calls ---- */

static void open_logs(struct show *show, char **logs, size_t count)
{
    if (count == 0)
        return;
    show->calls = calls_open(logs, count, show->no_calls, sizeof show->no_calls);
    if (show->calls == NULL)
        message("labcap show: %s", show->no_calls);
}

static void open_calls(struct show *show, const char *file)
{
    const struct show_options *o = show->options;

    if (!o->beside) {
        open_logs(show, o->logs, o->log_count);
        return;
    }
    show->own_log = operands_beside(file, ".calls");
    open_logs(show, &show->own_log, show->own_log != NULL && access(show->own_log, F_OK) == 0);
}

/* The calls, or NULL after a line that says why they are left out. */
static const struct calls *match_calls(struct show *show, const struct trace *trace)
{
    const char *remark;

    if (show->calls == NULL)
        return NULL;
    if (!calls_match(show->calls, trace->flows, show->no_calls, sizeof show->no_calls)) {
        message("labcap show: %s", show->no_calls);
        return NULL;
    }
    show->no_calls[0] = '\0';
    remark = calls_remark(show->calls);
    if (remark != NULL)
        message("labcap show: %s", remark);
    return show->calls;
}

/* ---- The end ---- */

static void tell_trace(const struct show *show, const struct trace *trace)
{
    fputs("{\"type\":\"trace\",\"file\":", stdout);
    json_string(trace->file);
    printf(",\"flows\":%zu,\"calls\":", flow_count(trace->flows));
    if (*show->no_calls != '\0')
        json_string(show->no_calls);
    else
        fputs("null", stdout);
    puts("}");
}

static void tell_empty(const char *file)
{
    char *name = printable(file);

    printf("no TCP connection and no UDP flow in %s\n", name);
    free(name);
}

/* Returns the exit status, `status` unless there is more to say. */
static int finish(struct show *show, const struct trace *trace, int status)
{
    const struct show_options *o = show->options;
    uint64_t flows = flow_count(trace->flows), last;
    bool drawn;

    last = ladder_stream_last(show->stream, &drawn);
    if (!drawn) /* what is drawn needs no room for larger numbers */
        show->style = screen_style(o->ascii, o->color, last);
    ladder_stream_end(show->stream, match_calls(show, trace),
                      trace->two_points ? trace->points_from : UINT64_MAX);
    drawn = ladder_stream_finish(show->stream);
    show->stream = NULL;
    if (o->only > flows && flows > 0) {
        message("labcap show: no connection %" PRIu64 ", the last one is %" PRIu64,
                o->only, flows);
        return status != EXIT_MET ? status : EXIT_USAGE;
    }
    if (o->json)
        tell_trace(show, trace);
    else if (!drawn)
        tell_empty(trace->file);
    return status;
}

/* ---- The command ---- */

/* The highest number that a packet of the file can have. */
static uint64_t packets_at_most(const char *path)
{
    struct stat status;

    if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
        unpack_file_is_packed(path))
        return PACKETS_EXPECTED;
    return (uint64_t)status.st_size / PACKET_SIZE_MIN;
}

static int show_trace(struct show *show, const char *file)
{
    const struct show_options *o = show->options;
    struct trace_listener listener = {.packet = take_packet,
                                      .datagram = take_datagram,
                                      .fate = take_fate,
                                      .context = show,
                                      .other = take_other,
                                      .points = take_points,
                                      .expect = expect,
                                      .max_flows = o->max_flows};
    struct ladder_wish wish = {.style = &show->style,
                               .only = o->only,
                               .rows = o->rows,
                               .payload = o->payload,
                               .all = o->all,
                               .merged = o->merge,
                               .json = o->json};
    struct trace trace;
    int status;

    open_calls(show, file);
    listener.no_octets = show->calls == NULL && !o->payload && !o->json;
    show->style = screen_style(o->ascii, o->color, packets_at_most(file));
    wish.calls = show->calls;
    show->stream = ladder_stream_new(&wish);
    status = trace_read(&trace, file, o->filter, &listener);
    if (trace.flows != NULL)
        status = finish_output(finish(show, &trace, status));
    else
        ladder_stream_finish(show->stream);
    trace_free(&trace);
    calls_close(show->calls);
    free(show->own_log);
    return status;
}

static int show_file(void *context, const char *file)
{
    struct show show = {.options = context};

    return show_trace(&show, file);
}

static void add_log(struct show_options *o, char *path)
{
    o->logs = need(reallocarray(o->logs, o->log_count + 1, sizeof(char *)));
    o->logs[o->log_count++] = path;
}

/* Returns 0 or an exit status. */
static int take_option(struct show_options *o, int option)
{
    if (option == 'n' && o->only != 0)
        return usage_error("show", "-n: only one connection can be chosen");
    if (option == 'n' && !usage_number(optarg, 1, &o->only))
        return usage_error("show", "-n: a connection's number, from 1, is needed");
    if (option == OPTION_ROWS && !usage_number(optarg, 1, &o->rows))
        return usage_error("show", "--rows: a number, from 1, is needed");
    if (option == OPTION_COLOR && !parse_color(optarg, &o->color))
        return usage_error("show", "--color: auto, always or never is needed");
    if (option == OPTION_MAX_FLOWS && !usage_number(optarg, RETIRE_MIN, &o->max_flows))
        return usage_error("show", RETIRE_USAGE);
    if (option == '?')
        return usage_error("show", NULL);
    if (option == OPTION_SYSCALLS)
        add_log(o, optarg);
    if (option == OPTION_FILTER)
        o->filter = optarg;
    o->beside |= option == OPTION_SYSCALLS_BESIDE;
    o->ascii |= option == OPTION_ASCII;
    o->payload |= option == OPTION_PAYLOAD;
    o->all |= option == OPTION_ALL;
    o->merge |= option == OPTION_MERGE;
    o->json |= option == OPTION_JSON;
    return 0;
}

/* Returns 0, an exit status, or -1 when only help is wanted. */
static int parse_options(struct show_options *o, int argc, char **argv)
{
    int option, status;

    while ((option = usage_option("show", argc, argv)) != -1) {
        if (option == OPTION_HELP)
            return -1;
        status = take_option(o, option);
        if (status != 0)
            return status;
    }
    if (o->beside && o->log_count > 0)
        return usage_error("show", "--syscalls or --syscalls-beside, not both");
    if (o->rows > 0 && (!o->json || o->merge))
        return usage_error("show", "--rows goes with --json, and not with --merge");
    return optind < argc ? 0 : usage_error("show", "no FILE given");
}

static int show_files(struct show_options *o, char **words, int count)
{
    struct operands operands;
    int status;

    operands_split(&operands, words, count, o->filter);
    o->filter = operands.filter;
    if (operands.file_count > 1 && o->log_count > 0)
        status = usage_error("show", "--syscalls goes with one FILE");
    else
        status = operands_each(&operands, !o->json, show_file, o);
    operands_free(&operands);
    return status;
}

int cmd_show(int argc, char **argv)
{
    struct show_options options = {0};
    int status = parse_options(&options, argc, argv);

    if (status == 0)
        status = show_files(&options, argv + optind, argc - optind);
    else if (status < 0)
        status = usage_help("show");
    free(options.logs);
    return status;
}
