/* annotate.c - `labcap annotate`.
 *
 * A sentence about a packet may need what comes later (how a SYN was answered), so that a file is
 * read twice: to learn its flows, and to write. Of the packets only those are kept in between
 * that may have a sentence. */
#include "annotate.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "explain.h"
#include "ladder_say.h"
#include "memory.h"
#include "messages.h"
#include "pcapng_comments.h"
#include "pcapng_format.h"
#include "trace.h"
#include "usage.h"

_Static_assert((int)EXPLAIN_MAX <= (int)PCAPNG_COMMENT_MAX, "a sentence is a comment");

struct kept {
    struct segment_record segment;
    uint32_t flow;
};

/* A frame that is the arrival of a packet. */
struct arrival {
    uint64_t packet, of, times;
    bool damaged;
};

struct annotation {
    const struct flow_table *flows;
    struct kept *kept; /* in file order */
    size_t count, capacity;
    struct kept latest; /* not kept so far */
    struct arrival *arrivals;
    size_t arrival_count, arrival_capacity;
    uint64_t points_from; /* see struct teller */
    /* While the comments are written: */
    size_t next, next_arrival;
    struct teller *tellers; /* by flow id */
    char text[EXPLAIN_MAX];
};

/* ---- Reading ---- */

/* Room for one more. Exits when out of memory. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity > 0 ? *capacity * 2 : 64;
    return need(reallocarray(array, *capacity, size));
}

static void keep_latest(struct annotation *a)
{
    a->kept = grow(a->kept, a->count, &a->capacity, sizeof *a->kept);
    a->kept[a->count++] = a->latest;
    a->latest.segment.packet = 0;
}

/* An ordinary segment has no sentence, and changes nothing about the names of later ones. */
static void take_packet(void *context, const struct packet *packet, const struct flow_note *note)
{
    const unsigned remarkable = TCP_SYN | TCP_FIN | TCP_RST;
    struct annotation *a = context;

    a->latest.segment.packet = 0;
    if (note->tcp.marks & MARK_DUPLICATE)
        return;
    segment_keep(&a->latest.segment, packet, note);
    a->latest.flow = note->flow->id;
    if (note->first || packet->fragment || note->tcp.marks || note->tcp.handshake ||
        note->tcp.teardown || (note->tcp.flags & remarkable))
        keep_latest(a);
}

/* The kept segment of a packet, or NULL. */
static struct segment_record *find_kept(struct annotation *a, uint64_t packet)
{
    size_t low = 0, high = a->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (a->kept[middle].segment.packet < packet)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->count && a->kept[low].segment.packet == packet ? &a->kept[low].segment : NULL;
}

static void take_datagram(void *context, uint64_t packet, uint64_t fragments)
{
    struct segment_record *s = find_kept(context, packet);

    if (s != NULL)
        segment_whole(s, fragments);
}

static void take_fate(void *context, const struct fate *fate)
{
    struct annotation *a = context;
    struct segment_record *s;

    if (a->latest.segment.packet == fate->packet && fate->packet != 0)
        keep_latest(a);
    s = find_kept(a, fate->packet);
    if (s != NULL)
        segment_fate(s, fate);
    if (fate->arrival == 0)
        return;
    a->arrivals = grow(a->arrivals, a->arrival_count, &a->arrival_capacity, sizeof *a->arrivals);
    a->arrivals[a->arrival_count++] = (struct arrival){
        .packet = fate->arrival, .of = fate->packet, .times = fate->arrivals,
        .damaged = fate->damaged};
}

/* ---- Writing ---- */

static const char *comment_on_arrival(struct annotation *a, const struct arrival *arrival)
{
    snprintf(a->text, sizeof a->text, "packet %" PRIu64 " arrives%s%s", arrival->of,
             arrival->damaged ? ", damaged" : "", arrival->times > 1 ? ", once more" : "");
    return a->text;
}

static const char *comment_on_segment(struct annotation *a, const struct kept *k)
{
    const struct segment_record *s = &k->segment;
    const struct flow *flow = flow_by_id(a->flows, k->flow);
    struct teller *teller = &a->tellers[k->flow];
    struct ladder_row row;
    const char *phase, *label;

    teller_row(teller, s, false, &row, &phase);
    label = flow->protocol == IP_UDP && !(s->marks & MARK_UNREACHABLE) ? "UDP" : row.label;
    explain(flow, s, label, a->text, sizeof a->text);
    if (s->packet > a->points_from)
        explain_fate(s, label, a->text, sizeof a->text);
    return *a->text != '\0' ? a->text : NULL;
}

static const char *comment_on(void *context, uint64_t packet)
{
    struct annotation *a = context;

    if (a->next < a->count && a->kept[a->next].segment.packet == packet)
        return comment_on_segment(a, &a->kept[a->next++]);
    while (a->next_arrival < a->arrival_count && a->arrivals[a->next_arrival].packet < packet)
        a->next_arrival++;
    if (a->points_from < packet && a->next_arrival < a->arrival_count &&
        a->arrivals[a->next_arrival].packet == packet)
        return comment_on_arrival(a, &a->arrivals[a->next_arrival]);
    return NULL;
}

/* Whether the teardown has three steps decides what its steps are called. */
static void start_tellers(struct annotation *a)
{
    const uint8_t both = STEP_FIRST_FIN_ACK | STEP_SECOND_FIN;
    size_t flows = flow_count(a->flows);

    a->tellers = need(calloc(flows + 1, sizeof *a->tellers));
    for (size_t i = 0; i < a->count; i++)
        if ((a->kept[i].segment.teardown & both) == both)
            a->tellers[a->kept[i].flow].three_step_teardown = true;
    for (size_t id = 1; id <= flows; id++)
        teller_start(&a->tellers[id], flow_by_id(a->flows, id),
                     a->tellers[id].three_step_teardown, a->points_from);
}

/* ---- The command ---- */

static int failure(const char *file, const char *why)
{
    message("labcap: %s: %s", file, why);
    return EXIT_UNTRUSTED;
}

/* False, with a line on stderr, where comments have no place. */
static bool is_pcapng_file(const char *file, struct stat *status)
{
    uint8_t start[4] = {0};
    FILE *stream = fopen(file, "rbe");
    bool opened = stream != NULL && fstat(fileno(stream), status) == 0;
    bool readable = opened && S_ISREG(status->st_mode);

    if (!opened)
        failure(file, strerror(errno));
    else if (!readable)
        failure(file, "not a file on a disk: comments are written into it in place");
    else if (fread(start, 1, 4, stream) != 4 || ng_u32(start, false) != BLOCK_SECTION)
        failure(file, "not a pcapng file; other traces have no place for comments "
                "(`editcap FILE NEW.pcapng` makes one)");
    else
        opened = false; /* nothing to complain of */
    if (stream != NULL)
        fclose(stream);
    return readable && !opened;
}

static int annotate(const char *file, uint64_t max_flows)
{
    struct annotation a = {0};
    struct trace_listener listener = {.packet = take_packet,
                                      .datagram = take_datagram,
                                      .fate = take_fate,
                                      .context = &a,
                                      .max_flows = max_flows};
    struct trace trace;
    struct stat status;
    char error[1024];
    int result;

    if (!is_pcapng_file(file, &status))
        return EXIT_UNTRUSTED;
    result = trace_read(&trace, file, NULL, &listener);
    if (trace.flows != NULL && trace.complete) {
        a.flows = trace.flows;
        a.points_from = trace.two_points ? trace.points_from : UINT64_MAX;
        start_tellers(&a);
        if (!pcapng_add_comments(file, &status, comment_on, &a, error, sizeof error)) {
            message("labcap: %s", error);
            result = EXIT_UNTRUSTED;
        }
    }
    trace_free(&trace);
    free(a.kept);
    free(a.arrivals);
    free(a.tellers);
    return result;
}

int cmd_annotate(int argc, char **argv)
{
    uint64_t max_flows = 0;
    int result = EXIT_MET, option;

    while ((option = usage_option("annotate", argc, argv)) != -1) {
        if (option != OPTION_MAX_FLOWS)
            return option == OPTION_HELP ? usage_help("annotate")
                                         : usage_error("annotate", NULL);
        if (!usage_number(optarg, RETIRE_MIN, &max_flows))
            return usage_error("annotate", RETIRE_USAGE);
    }
    if (optind == argc)
        return usage_error("annotate", "no FILE given");
    for (int i = optind; i < argc; i++) {
        int one = annotate(argv[i], max_flows);

        result = one > result ? one : result;
    }
    return result;
}
