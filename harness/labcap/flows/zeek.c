/* zeek.c - the end states and letters of Zeek's TCP analysis, see zeek.h. */
#include "zeek.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "packet.h"

enum { COUNT_T, COUNT_W, COUNT_G };

/* A SYN or RST whose number is further off is not trusted. */
enum { WILD_JUMP = 1048576 };

static struct zeek_more *more_of(struct zeek *z)
{
    if (z->more == NULL) {
        z->more = need(calloc(1, sizeof *z->more));
        memcpy(z->more->history, z->history, sizeof z->history);
    }
    return z->more;
}

void zeek_free(struct zeek *z)
{
    free(z->more);
    z->more = NULL;
}

static void append(struct zeek *z, char letter)
{
    if (z->more == NULL && z->length < ZEEK_SHORT_MAX)
        z->history[z->length++] = letter;
    else if (z->length < ZEEK_HISTORY_MAX)
        more_of(z)->history[z->length++] = letter;
}

static void append_of(struct zeek *z, unsigned side, char letter)
{
    append(z, side == z->originator ? letter : (char)tolower((unsigned char)letter));
}

/* Appends the letter the first time. Returns true if it was there already. */
bool zeek_append_once(struct zeek *z, unsigned side, unsigned bit, char letter)
{
    struct zeek_side *s = &z->side[side];

    if (s->once & bit)
        return true;
    s->once = (uint8_t)(s->once | bit);
    append_of(z, side, letter);
    return false;
}

static void append_when_moved(struct zeek *z, unsigned side, unsigned bit, char letter,
                              uint32_t *last, uint32_t seq)
{
    if (zeek_append_once(z, side, bit, letter) && *last != seq)
        append_of(z, side, letter);
    *last = seq;
}

static bool is_power_of_ten(uint32_t n)
{
    while (n >= 10 && n % 10 == 0)
        n /= 10;
    return n == 1;
}

/* Appends at the 1st, 10th, 100th ... time. */
static void append_counted(struct zeek *z, unsigned side, unsigned which, char letter)
{
    if (is_power_of_ten(++more_of(z)->count[side][which]))
        append_of(z, side, letter);
}

void zeek_flip(struct zeek *z)
{
    z->originator ^= 1;
    append(z, '^');
}

static void note_flags(struct zeek *z, unsigned side, const struct zeek_packet *p)
{
    struct zeek_side *s = &z->side[side];
    unsigned control = p->flags & (TCP_SYN | TCP_FIN | TCP_RST);

    if (control == TCP_SYN)
        append_when_moved(z, side, ZEEK_ONCE_SYN, p->flags & TCP_ACK ? 'H' : 'S', &s->last_syn,
                          p->seq);
    else if (control == TCP_FIN)
        append_when_moved(z, side, ZEEK_ONCE_FIN, 'F', &s->last_fin, p->seq + p->payload_len);
    else if (control == TCP_RST)
        append_when_moved(z, side, ZEEK_ONCE_RST, 'R', &s->last_rst, p->seq);
    else if (control != 0 && (control & TCP_FIN) && (control & TCP_RST))
        zeek_append_once(z, side, ZEEK_ONCE_I, 'I');
    else if (control != 0)
        zeek_append_once(z, side, ZEEK_ONCE_Q, 'Q');
    else if (p->payload_len > 0)
        zeek_append_once(z, side, ZEEK_ONCE_DATA, 'D');
    else if (p->flags & TCP_ACK)
        zeek_append_once(z, side, ZEEK_ONCE_ACK, 'A');
}

static void set_state(struct zeek_side *s, enum zeek_end state)
{
    if (s->state != state) {
        s->previous = s->state;
        s->state = (uint8_t)state;
    }
}

/* One past the packet's last number; the payload of a reset is none. */
static uint32_t segment_end(const struct zeek_packet *p)
{
    return p->seq + (p->flags & TCP_SYN ? 1 : 0) + (p->flags & TCP_FIN ? 1 : 0) +
           (p->flags & TCP_RST ? 0 : p->payload_len);
}

/* Returns true if this very packet tells where the stream begins: it repeats nothing. */
static bool set_base(struct zeek_side *s, const struct zeek_packet *p)
{
    bool syn = p->flags & TCP_SYN;

    if (s->state == ZEEK_INACTIVE && !syn) {
        s->start = p->seq - 1;
        s->last = p->seq;
    } else if (s->state == ZEEK_INACTIVE ||
               (syn && s->state != ZEEK_CLOSED && s->state != ZEEK_RESET &&
                p->seq != s->start)) {
        s->start = p->seq;
        s->last = segment_end(p);
    } else {
        return false;
    }
    return true;
}

/* Moves the highest number on. A segment that does not is a retransmission to Zeek; it says so
 * of a stream's first packet, too, if that is a SYN with data, and of the text of a reset: neither
 * is what the letter means. */
static void set_last(struct zeek *z, unsigned side, const struct zeek_packet *p, bool first)
{
    struct zeek_side *s = &z->side[side];
    int32_t advance = (int32_t)(segment_end(p) - s->last);

    if ((p->flags & (TCP_SYN | TCP_RST)) && (advance > WILD_JUMP || advance < -WILD_JUMP))
        return;
    if ((p->flags & TCP_FIN) && s->last == s->start + 1)
        s->last = segment_end(p);
    else if (s->state == ZEEK_RESET)
        return;
    else if (advance > 0)
        s->last = segment_end(p);
    else if (p->payload_len > 0 && !first && !(p->flags & TCP_RST))
        append_counted(z, side, COUNT_T, 'T');
}

static void leave_inactive(struct zeek *z, unsigned side, const struct zeek_packet *p)
{
    struct zeek_side *s = &z->side[side], *peer = &z->side[side ^ 1];
    bool originator = side == z->originator;

    if ((p->flags & TCP_SYN) && originator) {
        if (p->flags & TCP_ACK)
            set_state(s, ZEEK_SYN_ACK_SENT);
        else /* the SYN+ACK may have been captured before its SYN */
            set_state(s, peer->state == ZEEK_ESTABLISHED ? ZEEK_ESTABLISHED : ZEEK_SYN_SENT);
    } else if (p->flags & TCP_SYN) {
        if (peer->state == ZEEK_SYN_SENT)
            set_state(peer, ZEEK_ESTABLISHED);
        set_state(s, ZEEK_ESTABLISHED);
    }
    if (p->flags & TCP_FIN)
        set_state(s, ZEEK_CLOSED);
    if (p->flags & TCP_RST)
        set_state(s, ZEEK_RESET);
    if (s->state != ZEEK_INACTIVE)
        return;
    if (!originator && p->payload_len == 0 && peer->state == ZEEK_SYN_SENT)
        return; /* a pure ACK before the SYN+ACK says nothing */
    if ((p->flags & TCP_ACK) && peer->state == ZEEK_ESTABLISHED)
        set_state(s, ZEEK_ESTABLISHED); /* only its SYN was missed */
    else
        set_state(s, ZEEK_PARTIAL);
}

static void leave_established(struct zeek_side *s, struct zeek_side *peer,
                              const struct zeek_packet *p)
{
    if ((p->flags & TCP_SYN) && !(p->flags & TCP_ACK) && s->state == ZEEK_PARTIAL &&
        peer->state == ZEEK_INACTIVE)
        set_state(s, ZEEK_SYN_SENT);
    if ((p->flags & TCP_FIN) && !(p->flags & TCP_RST)) {
        set_state(s, ZEEK_CLOSED);
        if (peer->state == ZEEK_RESET && peer->previous == ZEEK_CLOSED)
            set_state(peer, ZEEK_CLOSED); /* FIN, then RST: an ordinary end after all */
    }
    if (p->flags & TCP_RST)
        set_state(s, ZEEK_RESET);
}

static void change_state(struct zeek *z, unsigned side, const struct zeek_packet *p)
{
    struct zeek_side *s = &z->side[side], *peer = &z->side[side ^ 1];

    switch ((enum zeek_end)s->state) {
    case ZEEK_INACTIVE:
        leave_inactive(z, side, p);
        break;
    case ZEEK_SYN_SENT:
    case ZEEK_SYN_ACK_SENT:
        if (p->flags & TCP_FIN)
            set_state(s, ZEEK_CLOSED);
        if (p->flags & TCP_RST)
            set_state(s, ZEEK_RESET);
        break;
    case ZEEK_PARTIAL:
    case ZEEK_ESTABLISHED:
        leave_established(s, peer, p);
        break;
    case ZEEK_CLOSED: /* a reset after both have closed changes nothing */
        if ((p->flags & TCP_RST) && peer->state != ZEEK_CLOSED)
            set_state(s, ZEEK_RESET);
        break;
    case ZEEK_RESET:
        break;
    }
}

/* Established, perhaps closed since. Holes elsewhere mean little. */
static bool is_clean(const struct zeek_side *s)
{
    return s->state == ZEEK_ESTABLISHED ||
           (s->state == ZEEK_CLOSED && s->previous == ZEEK_ESTABLISHED);
}

void zeek_add(struct zeek *z, unsigned side, const struct zeek_packet *p)
{
    struct zeek_side *s = &z->side[side], *peer = &z->side[side ^ 1];
    bool first = set_base(s, p);

    note_flags(z, side, p);
    if (p->zero_window && !(p->flags & TCP_RST) && peer->state != ZEEK_CLOSED &&
        s->state != ZEEK_RESET)
        append_counted(z, side, COUNT_W, 'W');
    set_last(z, side, p, first);
    change_state(z, side, p);
    if (is_clean(s) && is_clean(peer))
        for (uint64_t i = 0; i < p->gaps; i++)
            append_counted(z, side ^ 1, COUNT_G, 'G');
}

/* The originator's SYN and RST with nothing but them between. */
static bool syn_then_reset(const char *history)
{
    if (*history == '^')
        history++;
    if (*history != 'S')
        return false;
    history++;
    return history[strcspn(history, "HAFGIQR")] == 'R';
}

const char *zeek_conn_state(const struct zeek *z, bool any_bytes)
{
    enum zeek_end o = (enum zeek_end)z->side[z->originator].state;
    enum zeek_end r = (enum zeek_end)z->side[z->originator ^ 1].state;
    bool o_inactive = o == ZEEK_INACTIVE || o == ZEEK_PARTIAL;
    bool r_inactive = r == ZEEK_INACTIVE || r == ZEEK_PARTIAL;

    if (r == ZEEK_RESET) {
        if (o == ZEEK_SYN_SENT || o == ZEEK_SYN_ACK_SENT || (o == ZEEK_RESET && !any_bytes))
            return "REJ";
        return o_inactive ? "RSTRH" : "RSTR";
    }
    if (o == ZEEK_RESET) {
        if (r_inactive)
            return syn_then_reset(zeek_history(z)) ? "RSTOS0" : "OTH";
        return "RSTO";
    }
    if (o == ZEEK_CLOSED && r == ZEEK_CLOSED)
        return "SF";
    if (o == ZEEK_CLOSED)
        return r_inactive ? "SH" : "S2";
    if (r == ZEEK_CLOSED)
        return o_inactive ? "SHR" : "S3";
    if (o == ZEEK_SYN_SENT && r == ZEEK_INACTIVE)
        return "S0";
    if (o == ZEEK_ESTABLISHED && r == ZEEK_ESTABLISHED)
        return "S1";
    return "OTH";
}
