/* ladder_say.c - see ladder_say.h. */
#include "ladder_say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The states before a first SYN are known from what came of it. */
void teller_start(struct teller *t, const struct flow *flow, bool three_step_teardown,
                  uint64_t points_from)
{
    const struct tcp_connection *c = &flow->tcp;

    *t = (struct teller){.flow = flow,
                         .points_from = points_from,
                         .three_step_teardown = three_step_teardown,
                         .state = {"", ""}};
    if (flow->protocol != IP_TCP || c->syn == 0 || c->syn != flow->first_packet)
        return;
    t->state[0] = tcp_state_name(TCP_CLOSED);
    if (c->syn_ack != 0)
        t->state[1] = tcp_state_name(TCP_LISTEN);
    else if (c->refused)
        t->state[1] = tcp_state_name(TCP_CLOSED);
}

void segment_keep(struct segment_record *s, const struct packet *packet,
                  const struct flow_note *note)
{
    *s = (struct segment_record){
        .packet = packet->number,
        .time_ns = packet->time_ns,
        .seq = note->tcp.seq,
        .ack = note->tcp.ack,
        .has_ack = note->tcp.has_ack,
        .payload_len = note->tcp.payload_len,
        .marks = (uint16_t)note->tcp.marks,
        .flags = note->tcp.flags,
        .side = note->side,
        .handshake = note->tcp.handshake,
        .teardown = note->tcp.teardown,
        .state = {(uint8_t)note->tcp.state[0], (uint8_t)note->tcp.state[1]},
        .icmp_type = packet->quoted.type,
        .icmp_code = packet->quoted.code,
    };
}

/* ---- Words of a TCP segment ---- */

static unsigned bits(unsigned value)
{
    return (unsigned)__builtin_popcount(value);
}

/* What the step is called, without the control bits that are no part of it. */
static const char *closing_name(const struct teller *t, uint8_t steps)
{
    if (steps & (STEP_FIRST_FIN | STEP_SECOND_FIN))
        return t->three_step_teardown && (steps & STEP_FIRST_FIN_ACK) ? "FIN+ACK" : "FIN";
    return "ACK";
}

static void closing_label(struct teller *t, uint8_t steps, char *text, size_t size)
{
    unsigned of = t->three_step_teardown ? 3 : 4;
    unsigned step = t->closing_steps + 1u;

    t->closing_steps = (uint8_t)(t->closing_steps + bits(steps));
    if (t->three_step_teardown && step > 2)
        step = 3; /* step 2 was two of four */
    snprintf(text, size, "%u/%u %s", step > of ? of : step, of, closing_name(t, steps));
}

/* The step of the handshake or teardown, with its number, or the control bits. A segment that is
 * both has the second one in `note`. */
static void label_of(struct teller *t, const struct segment_record *s, char *label, size_t size,
                     char *note, size_t note_size)
{
    static const char *const opening[] = {"", "1/3 SYN", "2/3 SYN+ACK", "3/3 ACK"};
    char step[24] = "", more[FLAGS_TEXT_MAX];
    uint8_t rest = s->flags;

    if (s->handshake > 0 && s->handshake <= 3) {
        snprintf(step, sizeof step, "%s", opening[s->handshake]);
        if (s->teardown)
            closing_label(t, s->teardown, note, note_size);
        rest = (uint8_t)(rest & ~(TCP_SYN | TCP_ACK));
    } else if (s->teardown) {
        closing_label(t, s->teardown, step, sizeof step);
        rest = (uint8_t)(rest & ~(TCP_FIN | TCP_ACK));
    }
    flags_text(more, sizeof more, rest);
    if (*step == '\0')
        snprintf(label, size, "%s", more);
    else
        snprintf(label, size, "%s%s%s", step, rest ? "+" : "", rest ? more : "");
}

__attribute__((format(printf, 3, 4)))
static void add(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

/* The wordings of an arrow, from full to short. */
static void word(char texts[LADDER_TEXTS][LADDER_TEXT_MAX], const char *label,
                 const struct segment_record *s)
{
    static const struct {
        bool seq, ack, len;
    } wordings[LADDER_TEXTS] = {{true, true, true}, {true, false, true}, {false, true, true},
                                {false, false, true}, {false, false, false}};

    for (int i = 0; i < LADDER_TEXTS; i++) {
        char *text = texts[i];

        snprintf(text, LADDER_TEXT_MAX, "%s", label);
        /* A segment without payload is told by what it acknowledges. */
        if (i == 1 && s->has_ack && s->payload_len == 0) {
            snprintf(text, LADDER_TEXT_MAX, "%s ack %" PRId64, label, s->ack);
            continue;
        }
        if (wordings[i].seq)
            add(text, LADDER_TEXT_MAX, " seq %" PRId64, s->seq);
        if (wordings[i].ack && s->has_ack)
            add(text, LADDER_TEXT_MAX, " ack %" PRId64, s->ack);
        if (wordings[i].len && s->payload_len > 0)
            add(text, LADDER_TEXT_MAX, " len %" PRIu32, s->payload_len);
    }
}

void tell_note(char note[LADDER_TEXT_MAX], const char *what)
{
    add(note, LADDER_TEXT_MAX, "%s%s", *note != '\0' ? ", " : "", what);
}

static void mark_notes(char *note, uint32_t marks)
{
    static const struct {
        uint32_t mark;
        const char *name;
    } names[] = {{MARK_RETRANSMISSION, "retransmission"},
                 {MARK_PARTLY_NEW, "partly retransmitted"},
                 {MARK_OUT_OF_ORDER, "out of order"},
                 {MARK_DUPLICATE_ACK, "duplicate ACK"},
                 {MARK_KEEP_ALIVE, "keep-alive"},
                 {MARK_WINDOW_PROBE, "window probe"},
                 {MARK_ZERO_WINDOW, "zero window"},
                 {MARK_REFUSED, "refused"},
                 {MARK_RESET, "reset"},
                 {MARK_CUT, "longer than the wire"}};

    if (marks & MARK_REFUSED)
        marks &= ~(uint32_t)MARK_RESET;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (marks & names[i].mark)
            tell_note(note, names[i].name);
}

static enum tone tone_of(const struct segment_record *s)
{
    if (s->marks & (MARK_RESET | MARK_UNREACHABLE))
        return TONE_BAD;
    if (s->handshake)
        return TONE_OPEN;
    if (s->teardown)
        return TONE_CLOSE;
    return s->payload_len > 0 ? TONE_DATA : TONE_PLAIN;
}

static enum phase phase_of(const struct teller *t, const struct segment_record *s)
{
    if (s->teardown && !s->handshake)
        return PHASE_TEARDOWN;
    if (s->handshake || (s->flags & TCP_SYN))
        return PHASE_HANDSHAKE;
    if (s->marks & MARK_RESET) /* belongs to what it interrupts */
        return t->phase;
    return PHASE_DATA;
}

/* The name of the phase that begins with this segment, or NULL. Phases do not come back. */
static const char *next_phase(struct teller *t, const struct segment_record *s)
{
    static const char *const names[] = {NULL, "handshake", "data", "teardown"};
    enum phase phase = phase_of(t, s);

    if (phase <= t->phase)
        return NULL;
    t->phase = phase;
    return names[phase];
}

/* ---- Rows ---- */

static const char *unreachable_name(uint8_t ip_version, uint8_t code)
{
    static const char *const v4[] = {"network unreachable", "host unreachable",
                                     "protocol unreachable", "port unreachable"};
    static const char *const v6[] = {"no route",          "prohibited",
                                     "beyond scope",      "address unreachable",
                                     "port unreachable"};
    bool old = ip_version == 4;
    size_t known = old ? sizeof v4 / sizeof v4[0] : sizeof v6 / sizeof v6[0];

    if (code >= known)
        return "unreachable";
    return old ? v4[code] : v6[code];
}

/* A packet alone does not tell whether the server that it reaches was listening; how it was
 * answered does (RFC 9293, figure 6). */
static const char *state_name(const struct flow *flow, enum tcp_state state)
{
    const struct tcp_connection *c = &flow->tcp;

    if (state == TCP_LISTEN && c->syn_ack != 0)
        state = TCP_SYN_RECEIVED;
    else if (state == TCP_LISTEN && c->refused)
        state = TCP_CLOSED;
    else if (state == TCP_LISTEN)
        return "";
    return tcp_state_name(state);
}

static bool has_fate(const struct teller *t, const struct segment_record *s)
{
    return s->fate_told && s->packet > t->points_from;
}

/* The sender's state follows from what it sent and received, the receiver's from what arrived;
 * with one point all counts as received. */
static void tell_states(struct teller *t, const struct segment_record *s, struct ladder_row *row)
{
    unsigned client = flow_client(t->flow);
    bool seen = has_fate(t, s);

    for (unsigned i = 0; i < 2; i++) {
        unsigned side = client ^ i;
        const char *state =
            state_name(t->flow, (enum tcp_state)(seen ? s->seen_state : s->state)[side]);

        if ((!seen || s->state_changed[side]) && strcmp(state, t->state[i]) != 0)
            row->state[i] = t->state[i] = state;
    }
}

static void tell_tcp(struct teller *t, const struct segment_record *s, struct ladder_row *row,
                     const char **phase)
{
    char label[80];

    *phase = next_phase(t, s);
    label_of(t, s, label, sizeof label, row->note, sizeof row->note);
    word(row->texts, label, s);
    mark_notes(row->note, s->marks);
    tell_states(t, s, row);
}

static void tell_datagram(const struct segment_record *s, struct ladder_row *row)
{
    int next = 0;

    if (s->fragments > 0)
        snprintf(row->texts[next++], LADDER_TEXT_MAX,
                 "datagram, %" PRIu32 " bytes, %" PRIu32 " fragment%s", s->payload_len,
                 s->fragments, s->fragments == 1 ? "" : "s");
    if (s->fragments > 0)
        snprintf(row->texts[next++], LADDER_TEXT_MAX, "len %" PRIu32 ", %" PRIu32 " fragments",
                 s->payload_len, s->fragments);
    snprintf(row->texts[next++], LADDER_TEXT_MAX, "datagram, %" PRIu32 " byte%s", s->payload_len,
             s->payload_len == 1 ? "" : "s");
    snprintf(row->texts[next], LADDER_TEXT_MAX, "len %" PRIu32, s->payload_len);
}

void teller_row(struct teller *t, const struct segment_record *s, bool utf8, char *time,
                struct ladder_row *row, const char **phase)
{
    *phase = NULL;
    *row = (struct ladder_row){.number = s->packet,
                               .time = time,
                               .to_server = s->side == flow_client(t->flow),
                               .tone = tone_of(s),
                               .state = {"", ""}};
    *time = '\0';
    if (t->started)
        span_text(time, SPAN_TEXT_MAX, s->time_ns - t->last_ns, utf8);
    t->started = true;
    t->last_ns = s->time_ns;
    if (s->marks & MARK_UNREACHABLE) {
        snprintf(row->texts[0], sizeof row->texts[0], "ICMP: %s",
                 unreachable_name(t->flow->ip_version, s->icmp_code));
        snprintf(row->texts[1], sizeof row->texts[1], "ICMP");
    } else if (t->flow->protocol == IP_TCP) {
        tell_tcp(t, s, row, phase);
    } else {
        tell_datagram(s, row);
    }
    if (has_fate(t, s))
        tell_fate(s, row);
}
