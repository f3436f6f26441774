/* ladder_json.c - a ladder as JSON, an object a line. See ladder_sink.h.
 *
 * Written with stdio as json.c is; nothing here goes through ladder_out.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "json.h"
#include "ladder_sink.h"
#include "ladder_text.h"

/* ---- Values ---- */

static void put(const char *text)
{
    fputs_unlocked(text, stdout);
}

/* Names are ours: nothing in them needs to be escaped. */
static void name(const char *text)
{
    put(",\"");
    put(text);
    put("\":");
}

static void text_field(const char *of, const char *text)
{
    name(of);
    json_string(text);
}

static void count_field(const char *of, uint64_t count)
{
    name(of);
    json_count(count);
}

static void signed_field(const char *of, int64_t number)
{
    char digits[NUMBER_TEXT_MAX];

    name(of);
    number_text(digits, number);
    put(digits);
}

static void seconds_field(const char *of, int64_t ns)
{
    name(of);
    json_seconds(ns);
}

static void truth_field(const char *of, bool truth)
{
    name(of);
    put(truth ? "true" : "false");
}

static void hex_field(const char *of, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    name(of);
    putchar_unlocked('"');
    for (size_t i = 0; i < count; i++) {
        putchar_unlocked(digits[bytes[i] >> 4]);
        putchar_unlocked(digits[bytes[i] & 15]);
    }
    putchar_unlocked('"');
}

/* Null where there is nothing new. */
static void put_state(const char *state)
{
    if (*state != '\0')
        json_string(state);
    else
        put("null");
}

static void states_field(const char *const state[2])
{
    name("states");
    put("{\"client\":");
    put_state(state[0]);
    put(",\"server\":");
    put_state(state[1]);
    putchar_unlocked('}');
}

static void begin(const char *type, const struct strand *strand)
{
    put("{\"type\":\"");
    put(type);
    putchar_unlocked('"');
    if (strand != NULL)
        count_field("flow", strand->flow->id);
}

static void end(void)
{
    put("}\n");
}

/* ---- Objects ---- */

static void put_end(const struct ladder_sink *sink, const struct flow *flow, const char *role,
                    unsigned side)
{
    char address[46];
    const char *program = sink->calls != NULL ? calls_program(sink->calls, flow->id, side) : "";

    name(role);
    put("{\"address\":");
    json_string(address_text(address, sizeof address, &flow->end[side], flow->ip_version));
    count_field("port", flow->end[side].port);
    name("processes");
    putchar_unlocked('[');
    if (*program != '\0')
        json_string(program);
    put("]}");
}

static void json_flow(struct ladder_sink *sink, struct strand *strand)
{
    const struct flow *flow = strand->flow;
    unsigned client = flow_client(flow);

    begin("flow", strand);
    text_field("protocol", flow->protocol == IP_TCP ? "tcp" : "udp");
    put_end(sink, flow, "client", client);
    put_end(sink, flow, "server", client ^ 1);
    seconds_field("start", strand->first_ns);
    count_field("packets", strand_packets(strand));
    seconds_field("duration", strand_duration(strand));
    states_field(strand->teller.state);
    truth_field("later", strand->later);
    end();
}

static void json_resume(struct ladder_sink *sink, struct strand *strand)
{
    (void)sink;
    (void)strand;
}

static void put_flags(const struct strand *strand, const struct segment_record *s)
{
    if (strand->flow->protocol != IP_TCP || (s->marks & MARK_UNREACHABLE)) {
        put(",\"flags\":null,\"seq\":null,\"ack\":null");
        return;
    }
    text_field("flags", flags_text(s->flags)->text);
    signed_field("seq", s->seq);
    if (s->has_ack)
        signed_field("ack", s->ack);
    else
        put(",\"ack\":null");
}

static void put_acknowledged(const struct segment_record *s)
{
    name("acknowledges");
    if (s->acks_first == 0)
        put("null");
    else
        printf("{\"first\":%" PRIu64 ",\"last\":%" PRIu64 "}", s->acks_first, s->acks_last);
}

static void json_segment(struct ladder_sink *sink, struct strand *strand, const struct row *row,
                         const struct ladder_row *words, int64_t gap_ns, const char *phase)
{
    static const char *const tones[] = {
        [TONE_PLAIN] = "plain", [TONE_OPEN] = "open", [TONE_DATA] = "data",
        [TONE_CLOSE] = "close", [TONE_BAD] = "bad",   [TONE_NOTE] = "note"};
    const struct segment_record *s = &row->segment;
    char comment[EXPLAIN_MAX], text[LADDER_TEXT_ROOM];

    (void)sink;
    *write_wording(text, words, 0) = '\0';
    if (phase != NULL) {
        begin("phase", strand);
        text_field("name", phase);
        end();
    }
    begin("packet", strand);
    count_field("packet", s->packet);
    seconds_field("time", s->time_ns - strand->first_ns);
    if (words->time.length > 0)
        seconds_field("gap", gap_ns);
    else
        put(",\"gap\":null");
    truth_field("to_server", words->to_server);
    text_field("label", words->label);
    text_field("text", text);
    put_flags(strand, s);
    put_acknowledged(s);
    count_field("length", s->payload_len);
    text_field("note", words->note);
    explain(strand->flow, s, words->label, comment, sizeof comment);
    text_field("comment", comment);
    text_field("tone", tones[words->tone]);
    truth_field("lost", words->lost);
    states_field(words->state);
    hex_field("payload", row->payload, row->payload_kept);
    count_field("payload_kept", row->payload_kept);
    end();
}

static void put_call(const struct call_row *c)
{
    static const char *const parts[] = {
        [CALL_WHOLE] = "whole", [CALL_BEGIN] = "begin", [CALL_END] = "end"};

    text_field("process", c->process);
    count_field("pid", c->pid);
    text_field("part", parts[c->part]);
    text_field("weight", c->weight == CALL_MAIN ? "main" : "quiet");
    count_field("call", c->call);
    text_field("name", c->name);
    text_field("text", c->texts[0]);
    name("result");
    if (c->result != NULL)
        json_string(c->result);
    else
        put("null");
}

static void json_call(struct ladder_sink *sink, struct strand *strand, const struct call_row *c,
                      const char *const state[2])
{
    (void)sink;
    begin("call", strand);
    count_field("after", c->after_packet);
    text_field("side", c->side == flow_client(strand->flow) ? "client" : "server");
    put_call(c);
    seconds_field("time", c->time_ns - strand->first_ns);
    if (c->duration_ns >= 0)
        seconds_field("duration", c->duration_ns);
    else
        put(",\"duration\":null");
    states_field(state);
    hex_field("data", c->data, c->data_kept);
    count_field("data_length", c->data_len);
    text_field("note", c->note);
    end();
}

static void json_fold(struct ladder_sink *sink, struct strand *strand, const struct fold *fold,
                      int64_t gap_ns)
{
    char text[2 * LADDER_NOTE_MAX];

    (void)sink;
    fold_text(text, sizeof text, fold);
    begin("fold", strand);
    if (strand == NULL)
        put(",\"flow\":null");
    count_field("segments", fold->segments);
    count_field("bytes_to_server", fold->bytes[0]);
    count_field("bytes_to_client", fold->bytes[1]);
    count_field("calls", fold->calls);
    count_field("first_packet", fold->first_packet);
    count_field("last_packet", fold->last_packet);
    seconds_field("duration", gap_ns);
    text_field("text", text);
    end();
}

static void json_other(struct ladder_sink *sink, const struct other_packet *other, int64_t gap_ns)
{
    char text[160];

    (void)sink;
    (void)gap_ns;
    other_packet_text(text, sizeof text, other, false);
    begin("other", NULL);
    count_field("packet", other->packet);
    seconds_field("time", other->time_ns);
    text_field("text", text);
    end();
}

static void json_outcome(struct ladder_sink *sink, struct strand *strand)
{
    char text[1024];
    struct growing g = text_begin(text, sizeof text);

    tell_outcome(strand->flow, &g);
    if (sink->transits)
        tell_transit(strand->flow, &g);
    begin("outcome", strand);
    text_field("text", text);
    end();
}

const struct sink_kind ladder_json = {.flow = json_flow,
                                      .resume = json_resume,
                                      .segment = json_segment,
                                      .call = json_call,
                                      .fold = json_fold,
                                      .other = json_other,
                                      .outcome = json_outcome};
