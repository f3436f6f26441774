/* ladder.c - `labcap show`.
 *
 * Connections overlap in a file and are drawn one after the other, so that each segment is kept,
 * as a small record, until the file has been read. */
#include "ladder.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ladder_draw.h"
#include "ladder_say.h"
#include "ladder_text.h"
#include "trace.h"
#include "usage.h"

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

enum { PAYLOAD_KEPT_MAX = 4 * LADDER_WIDTH_MAX }; /* a column takes at most 4 bytes */

struct show_options {
    const char *file;
    char *filter;
    uint64_t only; /* flow id; 0: all */
    bool ascii, payload;
    enum color_when color;
};

/* The segments of one flow, a list through segment_record.next; 0 ends it. */
struct thread {
    uint32_t first, last;
    uint64_t count;
    bool three_step_teardown;
};

struct show {
    struct show_options options;
    struct style style;
    struct segment_record *segments; /* [0] is not used */
    size_t segment_count, segment_capacity;
    struct thread *threads; /* by flow id */
    size_t thread_capacity;
    uint8_t *payload;
    size_t payload_used, payload_capacity;
    uint64_t points_from; /* see struct teller */
};

/* ---- Keeping ---- */

/* Room for `needed` elements; what is new is zero. Exits when out of memory. */
static void *grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    size_t larger = *capacity * 2 > needed ? *capacity * 2 : needed + 64;
    char *bytes;

    if (needed <= *capacity)
        return array;
    bytes = reallocarray(array, larger, size);
    if (bytes == NULL) {
        fputs("labcap: out of memory\n", stderr);
        exit(EXIT_UNTRUSTED);
    }
    memset(bytes + *capacity * size, 0, (larger - *capacity) * size);
    *capacity = larger;
    return bytes;
}

static void keep_payload(struct show *show, struct segment_record *s,
                         const struct packet *packet)
{
    size_t count = packet->payload_captured;

    if (!show->options.payload || count == 0 || s->payload_len == 0 ||
        (s->marks & MARK_UNREACHABLE))
        return;
    if (count > PAYLOAD_KEPT_MAX)
        count = PAYLOAD_KEPT_MAX;
    show->payload = grow(show->payload, &show->payload_capacity, show->payload_used + count, 1);
    memcpy(show->payload + show->payload_used, packet->payload, count);
    s->payload_at = show->payload_used;
    s->payload_kept = (uint16_t)count;
    show->payload_used += count;
}

static void keep_packet(void *context, const struct packet *packet, const struct flow_note *note)
{
    const uint8_t both = STEP_FIRST_FIN_ACK | STEP_SECOND_FIN;
    struct show *show = context;
    uint32_t id = note->flow->id;
    uint32_t index;
    struct thread *thread;

    if ((show->options.only != 0 && show->options.only != id) ||
        (note->tcp.marks & MARK_DUPLICATE) || show->segment_count + 1 >= UINT32_MAX)
        return;
    index = (uint32_t)++show->segment_count;
    show->segments = grow(show->segments, &show->segment_capacity, index + (size_t)1,
                          sizeof *show->segments);
    show->threads = grow(show->threads, &show->thread_capacity, id + (size_t)1,
                         sizeof *show->threads);
    segment_keep(&show->segments[index], packet, note);
    keep_payload(show, &show->segments[index], packet);
    thread = &show->threads[id];
    if (thread->first == 0)
        thread->first = index;
    else
        show->segments[thread->last].next = index;
    thread->last = index;
    thread->count++;
    if ((note->tcp.teardown & both) == both)
        thread->three_step_teardown = true;
}

/* The kept segment of a packet, or NULL. They are in the order of the file. */
static struct segment_record *find_segment(struct show *show, uint64_t packet)
{
    size_t low = 1, high = show->segment_count + 1;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (show->segments[middle].packet < packet)
            low = middle + 1;
        else
            high = middle;
    }
    return low <= show->segment_count && show->segments[low].packet == packet
               ? &show->segments[low]
               : NULL;
}

static void keep_datagram(void *context, uint64_t packet, uint64_t fragments)
{
    struct segment_record *s = find_segment(context, packet);

    if (s != NULL)
        s->fragments = (uint32_t)fragments;
}

static void keep_fate(void *context, const struct fate *fate)
{
    struct segment_record *s = find_segment(context, fate->packet);

    if (s != NULL)
        segment_fate(s, fate);
}

/* ---- Drawing ---- */

static void draw_payload(const struct show *show, const struct segment_record *s, bool to_server)
{
    char text[4 * LADDER_WIDTH_MAX + 1];
    int columns = ladder_area(&show->style) - 2;
    bool more = s->payload_kept < s->payload_len;

    if (s->payload_kept == 0)
        return;
    columns = payload_text(text, sizeof text, show->payload + s->payload_at, s->payload_kept,
                           more, columns, show->style.utf8);
    ladder_line(&show->style, to_server, TONE_QUIET, text, columns);
}

static void draw_heading(const struct show *show, const struct flow *flow,
                         const struct thread *thread)
{
    int64_t start = show->segments[thread->first].time_ns;
    int64_t end_ns = show->segments[thread->last].time_ns;
    char heading[64], details[96], span[SPAN_TEXT_MAX], end[2][56];
    unsigned client = flow_client(flow);

    snprintf(heading, sizeof heading, "%s %" PRIu32,
             flow->protocol == IP_TCP ? "TCP connection" : "UDP flow", flow->id);
    span_text(span, sizeof span, end_ns - start, show->style.utf8);
    snprintf(details, sizeof details, "%" PRIu64 " packet%s in %s", thread->count,
             thread->count == 1 ? "" : "s", span);
    ladder_heading(&show->style, heading, details);
    putchar('\n');
    for (unsigned i = 0; i < 2; i++)
        endpoint_text(end[i], sizeof end[i], &flow->end[client ^ i], flow->ip_version);
    ladder_ends(&show->style, end[0], end[1]);
}

static void draw_flow(const struct show *show, const struct flow *flow,
                      const struct thread *thread)
{
    struct teller teller;
    struct ladder_row row;
    const char *phase;
    char time[SPAN_TEXT_MAX], outcome[1024];

    draw_heading(show, flow, thread);
    teller_start(&teller, flow, thread->three_step_teardown, show->points_from);
    if (*teller.state[0] != '\0')
        ladder_states(&show->style, teller.state[0], teller.state[1]);
    for (uint32_t i = thread->first; i != 0; i = show->segments[i].next) {
        teller_row(&teller, &show->segments[i], show->style.utf8, time, &row, &phase);
        if (phase != NULL)
            ladder_phase(&show->style, phase);
        ladder_arrow(&show->style, &row);
        draw_payload(show, &show->segments[i], row.to_server);
    }
    tell_outcome(flow, outcome, sizeof outcome);
    putchar('\n');
    ladder_paragraph(&show->style, outcome);
}

/* Returns the exit status, `status` unless there is more to say. */
static int draw(const struct show *show, const struct trace *trace, int status)
{
    uint64_t flows = flow_count(trace->flows);
    bool any = false;

    if (show->options.only > flows && flows > 0) {
        fprintf(stderr, "labcap show: no connection %" PRIu64 ", the last one is %" PRIu64 "\n",
                show->options.only, flows);
        return status != EXIT_MET ? status : EXIT_USAGE;
    }
    for (uint64_t id = 1; id <= flows && id < show->thread_capacity; id++) {
        if (show->threads[id].first == 0)
            continue;
        if (any)
            putchar('\n');
        draw_flow(show, flow_by_id(trace->flows, id), &show->threads[id]);
        any = true;
    }
    if (!any)
        printf("no TCP connection and no UDP flow in %s\n", trace->file);
    return status;
}

/* ---- The screen ---- */

static int terminal_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    long width = 0;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width <= 0 && columns != NULL)
        width = strtol(columns, NULL, 10);
    if (width <= 0)
        width = 80;
    return width < LADDER_WIDTH_MIN   ? LADDER_WIDTH_MIN
           : width > LADDER_WIDTH_MAX ? LADDER_WIDTH_MAX
                                      : (int)width;
}

static bool want_color(enum color_when when)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

    if (when != COLOR_AUTO)
        return when == COLOR_ALWAYS;
    return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

static struct style screen_style(const struct show_options *o, uint64_t last_packet)
{
    struct style style = {.width = terminal_width(), .color = want_color(o->color)};

    setlocale(LC_CTYPE, "");
    style.utf8 = !o->ascii && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    style.number_width = snprintf(NULL, 0, "%" PRIu64, last_packet);
    if (style.number_width < 3)
        style.number_width = 3;
    return style;
}

/* ---- The command ---- */

static bool parse_color(const char *text, enum color_when *when)
{
    static const char *const names[] = {"auto", "always", "never"};

    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *when = (enum color_when)i;
            return true;
        }
    }
    return false;
}

static bool parse_id(const char *text, uint64_t *id)
{
    char *end;

    errno = 0;
    *id = strtoull(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *id > 0;
}

/* Returns 0, an exit status, or -1 when only help is wanted. */
static int parse_options(struct show_options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"ascii", no_argument, NULL, 'a'},   {"color", required_argument, NULL, 'c'},
        {"payload", no_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'}, {0}};
    int option;

    while ((option = getopt_long(argc, argv, "n:h", names, NULL)) != -1) {
        if (option == 'h')
            return -1;
        if (option == 'n' && !parse_id(optarg, &o->only))
            return usage_error("show", "-n: a connection's number, from 1, is needed");
        if (option == 'c' && !parse_color(optarg, &o->color))
            return usage_error("show", "--color: auto, always or never is needed");
        if (option == '?')
            return usage_error("show", NULL);
        o->ascii = o->ascii || option == 'a';
        o->payload = o->payload || option == 'p';
    }
    if (optind == argc)
        return usage_error("show", "no FILE given");
    o->file = argv[optind];
    o->filter = join_words(argv + optind + 1, argc - optind - 1);
    return 0;
}

int cmd_show(int argc, char **argv)
{
    struct show show = {0};
    struct trace_listener listener = {keep_packet, keep_datagram, keep_fate, &show};
    struct trace trace;
    int status = parse_options(&show.options, argc, argv);

    if (status != 0)
        return status < 0 ? usage_help("show") : status;
    status = trace_read(&trace, show.options.file, show.options.filter, &listener);
    if (trace.flows != NULL) {
        uint64_t last = show.segment_count > 0 ? show.segments[show.segment_count].packet : 0;

        show.points_from = trace.two_points ? trace.points_from : UINT64_MAX;
        show.style = screen_style(&show.options, last);
        status = finish_output(draw(&show, &trace, status));
        trace_free(&trace);
    }
    free(show.options.filter);
    free(show.segments);
    free(show.threads);
    free(show.payload);
    return status;
}
