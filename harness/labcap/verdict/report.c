/* report.c - see report.h. */
#include "report.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "fields.h"
#include "json.h"
#include "operands.h"
#include "usage.h"

enum { OUTPUT_BUFFER = 64 * 1024 };

/* ---- Rows ---- */

/* The id and the ends share a width; with the other cells a row has 80 columns. */
enum { ENDS_WIDTH = 36, ROW_WIDTH = 80, SHORT_TEXT = 48, ENDS_TEXT = 2 * ENDPOINT_TEXT_MAX + 4,
       TRANSIT_TEXT = 192 };

static const char between_ends[] = " > ";

static const char *opened_text(const struct tcp_connection *c)
{
    const struct tcp_side *server = &c->side[c->client ^ 1u];

    if (c->complete)
        return "3-way";
    if (c->refused)
        return "refused";
    if (c->syn == 0)
        return "not seen";
    if (c->syn_ack != 0 || server->plain_syn)
        return "no ACK";
    if (server->has_acked) /* so there was an answer */
        return "not seen";
    return server->sent_past_syn ? "no ACK" : "no reply";
}

static void closed_text(char *text, size_t size, const struct flow *f)
{
    static const char *const kinds[] = {"open", "half", "FIN", "RST"};
    const struct tcp_connection *c = &f->tcp;
    enum teardown_kind kind = tcp_teardown_kind(c);
    unsigned side = kind == TEARDOWN_RESET ? c->reset_by : c->first_fin;
    const char *by = side == c->client ? "client" : "server";

    if (kind == TEARDOWN_OPEN)
        by = "";
    else if (kind != TEARDOWN_RESET && tcp_simultaneous_close(c))
        by = "both";
    snprintf(text, size, "%s%s%s", kinds[kind], *by != '\0' ? " " : "", by);
}

/* A number from `limit` on is rounded down to thousands, millions ... below it. */
static void number_text(char *text, size_t size, uint64_t number, uint64_t limit)
{
    static const char units[] = " kMGTPE";
    size_t unit = 0;

    while (number >= limit && units[unit + 1] != '\0') {
        number /= 1000;
        limit = unit == 0 ? limit / 10 : limit; /* room for the unit's letter */
        unit++;
    }
    if (unit == 0)
        snprintf(text, size, "%" PRIu64, number);
    else
        snprintf(text, size, "%" PRIu64 "%c", number, units[unit]);
}

static void ends_text(char *text, size_t size, const struct flow *f)
{
    char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];
    unsigned client = flow_client(f);

    endpoint_text(from, &f->end[client], f->ip_version);
    endpoint_text(to, &f->end[client ^ 1], f->ip_version);
    snprintf(text, size, "%s%s%s", from, between_ends, to);
}

/* Long ends, as IPv6 has them, stand on a line of their own, or each on one. */
static void print_row(const char *id, const char *ends, const char *const cell[5])
{
    char first[ENDS_WIDTH + 1];
    int length = (int)strlen(ends), indent = (int)(strlen(id) < 3 ? 3 : strlen(id)) + 1;

    if (indent + length <= ENDS_WIDTH) {
        snprintf(first, sizeof first, "%3s %s", id, ends);
    } else {
        int half = length;

        if (indent + length > ROW_WIDTH)
            half = (int)(strstr(ends, between_ends) - ends) + (int)sizeof between_ends - 1;
        printf("%3s %.*s\n", id, half, ends);
        if (half < length)
            printf("%*s%s\n", indent, "", ends + half);
        first[0] = '\0';
    }
    printf("%-*s %-8s %-11s %7s %7s %s\n", ENDS_WIDTH, first, cell[0], cell[1], cell[2], cell[3],
           cell[4]);
}

static void datagrams_text(char *text, size_t size, const struct flow *f)
{
    char sent[SHORT_TEXT], received[SHORT_TEXT];

    number_text(sent, sizeof sent, f->udp[0].datagrams, 10000);
    number_text(received, sizeof received, f->udp[1].datagrams, 10000);
    snprintf(text, size, "%.7s + %.7s", sent, received);
}

/* One direction: how many arrived, and what else happened to them. Returns the text's length. */
static size_t transit_text(char *text, size_t size, const char *to,
                           const struct transit_side *side)
{
    const struct {
        uint64_t count;
        const char *name;
    } events[] = {{side->lost.count, "lost"},
                  {side->duplicated.count, "duplicated"},
                  {side->reordered.count, "reordered"},
                  {side->corrupted.count, "damaged"}};
    size_t used = (size_t)snprintf(text, size, "%s: %" PRIu64 " of %" PRIu64 " arrived", to,
                                   side->arrived, side->sent);

    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i].count > 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, ", %" PRIu64 " %s",
                                     events[i].count, events[i].name);
    return used;
}

/* What became of its packets, in a line or, where that is too short, two. */
static void print_transit(const struct flow *f)
{
    char to_server[TRANSIT_TEXT], to_client[TRANSIT_TEXT];
    const struct transit_side *side = f->transit->side;
    unsigned client = flow_client(f);
    size_t used = transit_text(to_server, sizeof to_server, "to server", &side[client]);

    used += transit_text(to_client, sizeof to_client, "to client", &side[client ^ 1]);
    if (side[client ^ 1].sent == 0)
        printf("    %s\n", to_server);
    else if (side[client].sent == 0)
        printf("    %s\n", to_client);
    else
        printf("    %s%s%s\n", to_server, used + 6 > ROW_WIDTH ? "\n    " : "; ", to_client);
}

static void print_flow(const struct flow *f)
{
    char id[12], ends[ENDS_TEXT], closed[SHORT_TEXT], sent[SHORT_TEXT], received[SHORT_TEXT];
    const char *opened = "UDP", *state = "";
    uint64_t bytes[2];

    snprintf(id, sizeof id, "%" PRIu32, f->id);
    ends_text(ends, sizeof ends, f);
    if (f->protocol == IP_TCP) {
        struct subject of = {.flow = f};
        struct value v;

        opened = opened_text(&f->tcp);
        closed_text(closed, sizeof closed, f);
        field_read(field_find(&tcp_fields, "state"), &of, &v);
        state = v.text;
        bytes[0] = f->tcp.side[f->tcp.client].bytes;
        bytes[1] = f->tcp.side[f->tcp.client ^ 1].bytes;
    } else {
        datagrams_text(closed, sizeof closed, f);
        state = f->unreachable.packet != 0 ? "ICMP" : "";
        bytes[0] = f->udp[0].bytes;
        bytes[1] = f->udp[1].bytes;
    }
    number_text(sent, sizeof sent, bytes[0], 10000000);
    number_text(received, sizeof received, bytes[1], 10000000);
    print_row(id, ends, (const char *const[5]){opened, closed, sent, received, state});
    if (f->transit != NULL)
        print_transit(f);
}

static void print_skipped(const char *what, uint64_t n)
{
    if (n > 0)
        printf(", %" PRIu64 " %s", n, what);
}

static void print_trace(const struct trace *trace)
{
    /* The wire's mark is no packet of anyone's. */
    printf("%" PRIu64 " packets", trace->packets - trace->marks);
    print_skipped("of them arrivals", trace->arrivals);
    print_skipped("not IP", trace->not_ip - trace->marks);
    print_skipped("fragments left out", trace->fragment);
    print_skipped("cut", trace->cut);
    print_skipped("malformed", trace->malformed);
    print_skipped("recorded twice", trace->duplicates);
    print_skipped("lost by the capturer", trace->drops);
    puts(trace->complete ? "" : ", the file is incomplete");
}

/* ---- Both ---- */

static void begin(struct report *r)
{
    if (!r->json && !r->begun)
        print_row("ID", "CLIENT > SERVER",
                  (const char *const[5]){"OPENED", "CLOSED BY", "SENT", "GOT", "STATE"});
    r->begun = true;
}

void report_flow(struct report *r, const struct trace *trace, const struct flow *flow)
{
    begin(r);
    if (r->json)
        json_object(flow_fields(flow), &(struct subject){.trace = trace, .flow = flow});
    else
        print_flow(flow);
}

void report_trace(struct report *r, const struct trace *trace)
{
    begin(r);
    if (r->json)
        json_object(&capture_fields, &(struct subject){.trace = trace});
    else
        print_trace(trace);
}

static void take_flow(void *context, const struct trace *trace, const struct flow *flow)
{
    report_flow(context, trace, flow);
}

struct flows_options {
    bool json;
    uint64_t max_flows;
    const char *filter;
};

static int report_file(void *context, const char *file)
{
    const struct flows_options *o = context;
    struct report report = {.json = o->json};
    struct trace_listener listener = {
        .flow = take_flow, .context = &report, .max_flows = o->max_flows, .as_they_end = true};
    struct trace trace;
    int status = trace_read(&trace, file, o->filter, &listener);

    if (trace.flows == NULL)
        return status;
    report_trace(&report, &trace);
    trace_free(&trace);
    return finish_output(status);
}

int cmd_flows(int argc, char **argv)
{
    static char buffer[OUTPUT_BUFFER]; /* glibc takes no size without one */
    struct flows_options o = {0};
    struct operands operands;
    int option, status;

    while ((option = usage_option("flows", argc, argv)) != -1) {
        if (option == OPTION_HELP)
            return usage_help("flows");
        if (option == OPTION_MAX_FLOWS && !usage_number(optarg, RETIRE_MIN, &o.max_flows))
            return usage_error("flows", RETIRE_USAGE);
        if (option == OPTION_FILTER)
            o.filter = optarg;
        else if (option == OPTION_JSON)
            o.json = true;
        else if (option != OPTION_MAX_FLOWS)
            return usage_error("flows", NULL);
    }
    if (optind == argc)
        return usage_error("flows", "no FILE given");
    setvbuf(stdout, buffer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, sizeof buffer);
    operands_split(&operands, argv + optind, argc - optind, o.filter);
    o.filter = operands.filter;
    status = operands_each(&operands, !o.json, report_file, &o);
    operands_free(&operands);
    return status;
}
