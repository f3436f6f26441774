/* ladder_say.c - see ladder_say.h. */
#include "ladder_say.h"

#include <string.h>

#include "ladder_words.h"

/* It refuses, or opens the connection itself (RFC 9293, figure 8). */
static bool never_listened(const struct tcp_connection *c)
{
    return c->refused || c->side[c->client ^ 1u].plain_syn;
}

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
    if (never_listened(c))
        t->state[1] = tcp_state_name(TCP_CLOSED);
    else if (c->syn_ack != 0)
        t->state[1] = tcp_state_name(TCP_LISTEN);
}

/* ---- Words of a TCP segment ---- */

static unsigned bits(unsigned value)
{
    return (unsigned)__builtin_popcount(value);
}

/* The control bits that the step is called by: a FIN's ACK is one where it is a step, too. */
static uint8_t closing_bits(const struct teller *t, uint8_t steps)
{
    if (!(steps & (STEP_FIRST_FIN | STEP_SECOND_FIN)))
        return TCP_ACK;
    return t->three_step_teardown && (steps & STEP_FIRST_FIN_ACK) ? TCP_FIN | TCP_ACK : TCP_FIN;
}

static void set_label(struct ladder_row *row, const char *label, size_t length)
{
    row->label = label;
    row->lengths |= (uint64_t)length << 8 * LADDER_LABEL;
}

/* "1/4 FIN". Returns its length. */
static size_t step_text(char text[LADDER_LABEL_MAX], unsigned step, char of, uint8_t flags)
{
    const struct flags_text *called = flags_text(flags);

    text[0] = (char)('0' + step);
    text[1] = '/';
    text[2] = of;
    text[3] = ' ';
    memcpy(text + 4, called->text, LADDER_LABEL_MAX - 4);
    return 4 + called->length;
}

/* `more` are other control bits of the segment. Returns the text's length. */
static size_t closing_label(struct teller *t, uint8_t steps, uint8_t more,
                            char text[LADDER_LABEL_MAX])
{
    unsigned of = t->three_step_teardown ? 3 : 4;
    bool unknown = t->undecided_teardown && steps == STEP_FIRST_FIN;
    unsigned fin = steps & (STEP_FIRST_FIN | STEP_SECOND_FIN); /* it may come again */
    unsigned step = bits(t->closing_steps & ~fin) + 1u;

    t->closing_steps |= steps;
    if (t->three_step_teardown && step > 2)
        step = 3; /* step 2 was two of four */
    if (step > of)
        step = of;
    return step_text(text, step, unknown ? '?' : (char)('0' + of), closing_bits(t, steps) | more);
}

/* The control bits, with the number of the step of the handshake or teardown before them. A
 * segment that is both has the second one in its note. */
static void label_of(struct teller *t, const struct segment_record *s, struct ladder_row *row)
{
    static const uint8_t opening[] = {0, TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK};
    bool simultaneous = s->handshake == 3 && (s->flags & TCP_SYN); /* no third step of three */

    if (s->handshake > 0 && s->handshake <= 3 && !simultaneous) {
        uint8_t more = (uint8_t)(s->flags & ~(TCP_SYN | TCP_ACK));

        set_label(row, row->own_label,
                  step_text(row->own_label, s->handshake, '3', opening[s->handshake] | more));
        if (s->teardown)
            closing_label(t, s->teardown, 0, row->note);
    } else if (s->teardown) {
        uint8_t more = (uint8_t)(s->flags & ~(TCP_FIN | TCP_ACK));

        set_label(row, row->own_label, closing_label(t, s->teardown, more, row->own_label));
    } else {
        set_label(row, flags_text(s->flags)->text, flags_text(s->flags)->length);
    }
}

void tell_note(char note[LADDER_NOTE_MAX], const char *what)
{
    struct growing g = {note, strlen(note), LADDER_NOTE_MAX};

    if (g.used > 0)
        text_add(&g, ", ");
    text_add(&g, what);
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
                 {MARK_ANSWER, "answer"},
                 {MARK_ZERO_WINDOW, "zero window"},
                 {MARK_WINDOW_OPENS, "window opens"},
                 {MARK_REFUSED, "refused"},
                 {MARK_RESET, "reset"},
                 {MARK_CUT, "longer than the wire"}};

    if (marks == 0)
        return;
    if (marks & MARK_REFUSED)
        marks &= ~(uint32_t)MARK_RESET;
    if (marks & MARK_WINDOW_PROBE)
        marks &= ~(uint32_t)MARK_KEEP_ALIVE;
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

    if (state == TCP_LISTEN && never_listened(c))
        state = TCP_CLOSED;
    else if (state == TCP_LISTEN && c->syn_ack != 0)
        state = TCP_SYN_RECEIVED;
    else if (state == TCP_LISTEN)
        return "";
    return tcp_state_name(state);
}

static bool has_fate(const struct teller *t, const struct segment_record *s)
{
    return s->fate_told && s->packet > t->points_from;
}

/* As most packets find them, and leave them. */
static bool both_established(const struct teller *t, const struct segment_record *s)
{
    const char *name = tcp_state_name(TCP_ESTABLISHED);

    return s->state[0] == TCP_ESTABLISHED && s->state[1] == TCP_ESTABLISHED &&
           t->state[0] == name && t->state[1] == name;
}

/* The sender's state follows from what it sent and received, the receiver's from what arrived;
 * with one point all counts as received. */
static void tell_states(struct teller *t, const struct segment_record *s, struct ladder_row *row)
{
    unsigned client = flow_client(t->flow);
    bool seen = has_fate(t, s);

    if (!seen && both_established(t, s))
        return;
    for (unsigned i = 0; i < 2; i++) {
        unsigned side = client ^ i;
        const char *state =
            state_name(t->flow, (enum tcp_state)(seen ? s->seen_state : s->state)[side]);

        if (!seen && s->state[side] == TCP_CLOSE_WAIT && tcp_fins_cross(&t->flow->tcp, side))
            continue; /* the FIN on this row had not arrived when this side sent its own */
        if ((!seen || s->state_changed[side]) && state != t->state[i] &&
            strcmp(state, t->state[i]) != 0)
            row->state[i] = t->state[i] = state;
    }
}

static void tell_tcp(struct teller *t, const struct segment_record *s, struct ladder_row *row,
                     const char **phase)
{
    *phase = next_phase(t, s);
    label_of(t, s, row);
    word_row(row, s);
    mark_notes(row->note, s->marks);
    tell_states(t, s, row);
}

static void tell_datagram(const struct segment_record *s, struct ladder_row *row)
{
    static const char label[LADDER_LABEL_MAX] = "datagram";

    set_label(row, label, sizeof "datagram" - 1);
    word_datagram(row, s->payload_len, s->fragments);
    if (s->incomplete)
        tell_note(row->note, s->so_far ? "incomplete so far" : "incomplete");
}

static void tell_unreachable(const struct flow *flow, const struct segment_record *s,
                             struct ladder_row *row)
{
    struct growing label = text_begin(row->own_label, sizeof row->own_label);

    text_add(&label, "ICMP: ");
    text_add(&label, unreachable_name(flow->ip_version, s->icmp_code));
    set_label(row, row->own_label, label.used);
    word_unreachable(row);
}

/* Not by assignment: most of a row is room for texts. */
static void start_row(struct ladder_row *row, const struct segment_record *s)
{
    row->number = s->packet;
    row->time.text[0] = '\0';
    row->time.length = row->time.columns = 0;
    row->tone = tone_of(s);
    row->lengths = 0;
    row->note[0] = '\0';
    row->state[0] = row->state[1] = "";
    row->lost = false;
}

void teller_row(struct teller *t, const struct segment_record *s, bool utf8,
                struct ladder_row *row, const char **phase)
{
    *phase = NULL;
    start_row(row, s);
    row->to_server = s->side == flow_client(t->flow);
    if (t->started)
        span_tell(&row->time, s->time_ns - t->last_ns, utf8);
    t->started = true;
    t->last_ns = s->time_ns;
    if (s->marks & MARK_UNREACHABLE) {
        tell_unreachable(t->flow, s, row);
    } else if (t->flow->protocol == IP_TCP) {
        tell_tcp(t, s, row, phase);
    } else {
        tell_datagram(s, row);
    }
    if (has_fate(t, s))
        tell_fate(s, row);
}
