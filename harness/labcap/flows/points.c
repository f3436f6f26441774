/* points.c - see points.h. */
#include "points.h"

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "fragment.h"
#include "memory.h"
#include "passage.h"
#include "sent.h"

enum decision { UNDECIDED, ONE_POINT, TWO_POINTS };

struct points {
    enum decision decision;
    struct sent_table *sent; /* NULL with one point */
    struct flow_table *flows;
    uint64_t frames; /* while undecided */
    uint64_t since;
    uint64_t unmatched, first_unmatched;
    fate_fn *each;
    void *context;
};

struct points *points_new(struct flow_table *flows, fate_fn *each, void *context)
{
    struct points *p = need(calloc(1, sizeof *p));

    p->flows = flows;
    p->each = each;
    p->context = context;
    p->sent = sent_table_new();
    return p;
}

void points_free(struct points *p)
{
    if (p == NULL)
        return;
    sent_table_free(p->sent);
    free(p);
}

/* ---- One point or two ---- */

bool points_is_mark(const uint8_t *source, const uint8_t *payload, uint32_t captured)
{
    static const char banner[] = PASSAGE_BANNER;
    struct passage_tag tag;

    return source != NULL && passage_tag(source, &tag) && tag.key == 0 && tag.ordinal == 0 &&
           captured >= sizeof banner - 1 && memcmp(payload, banner, sizeof banner - 1) == 0;
}

/* Called in the order of sending. */
static void settle(const struct sent_packet *s)
{
    if (s->flow != NULL && s->counts && s->whole && !s->arrived)
        transit_add(&transit_of(s->flow)->side[s->side].lost, s->number, 1);
}

static void settle_all(struct points *p)
{
    uint64_t first, last;

    sent_range(p->sent, &first, &last);
    for (; first <= last; first++)
        settle(sent_at(p->sent, first));
    sent_forget(p->sent);
}

static void decide_one(struct points *p)
{
    p->decision = ONE_POINT;
    sent_table_free(p->sent);
    p->sent = NULL;
    flow_table_forget_transits(p->flows);
}

/* What was sent before a wire came into its path did not pass through it; what was sent before
 * another one did can arrive no more. */
void points_mark(struct points *p, uint64_t number)
{
    if (p->decision == TWO_POINTS) {
        settle_all(p);
        return;
    }
    if (p->decision == UNDECIDED)
        decide_one(p);
    p->sent = sent_table_new();
    p->decision = TWO_POINTS;
    p->since = number;
}

static bool proves_itself(const struct packet *packet, const struct passage_tag *tag)
{
    uint32_t length = passage_ip_len(packet->ip, packet->ip_captured);

    return (uint16_t)passage_key(packet->ip, packet->ip_captured, length) == tag->key;
}

bool points_after_an_end(struct points *p)
{
    if (p->decision == UNDECIDED)
        decide_one(p);
    return p->decision == ONE_POINT;
}

bool points_matter(const struct points *p)
{
    return p->decision != ONE_POINT;
}

enum frame_role points_role(struct points *p, const struct packet *packet, const uint8_t *source)
{
    struct passage_tag tag;

    if (p->decision == ONE_POINT)
        return FRAME_PLAIN;
    if (p->decision == UNDECIDED && ++p->frames > UNDECIDED_MAX) {
        decide_one(p);
        return FRAME_PLAIN;
    }
    if (packet->ip == NULL)
        return FRAME_PLAIN;
    if (source == NULL || !passage_tag(source, &tag))
        return FRAME_SENT;
    if (p->decision == UNDECIDED && !proves_itself(packet, &tag))
        return FRAME_SENT;
    p->decision = TWO_POINTS;
    return FRAME_ARRIVED;
}

/* ---- Sending ---- */

static void tell(const struct points *p, const struct fate *fate)
{
    if (p->each != NULL)
        p->each(p->context, fate);
}

/* The whole of it is on its way. */
static void tell_sent(struct points *p, const struct sent_packet *s, const struct packet *packet)
{
    struct fate fate = {.flow = s->flow, .packet = s->number, .side = s->side};

    if (s->counts) {
        transit_of(s->flow)->side[s->side].sent++;
        if (s->flow->protocol == IP_TCP)
            fate.state = transit_happens(s->flow, s->side, s->side, packet);
    }
    tell(p, &fate);
}

/* A fragment: what is known of its datagram is kept with the piece that came first. */
static void join_datagram(struct points *p, struct sent_packet *s, const struct flow_note *note,
                          const struct packet *packet)
{
    struct fragmented *datagram = note->datagram;
    struct sent_packet *head;

    if (datagram->sent_place == 0)
        datagram->sent_place = s->place;
    s->datagram = datagram->sent_place;
    s->leading = note->flow != NULL;
    head = sent_at(p->sent, s->datagram);
    if (head == NULL)
        return;
    head->pieces++;
    if (s->leading) {
        transit_of(note->flow);
        head->flow = note->flow;
        head->side = note->side;
        head->number = packet->number;
        head->counts = true;
    }
    head->whole = note->whole;
    if (head->whole && head->flow != NULL)
        tell_sent(p, head, packet);
}

void points_sent(struct points *p, const struct packet *packet, const struct flow_note *note)
{
    struct sent_packet *s = sent_leaving(p->sent);

    if (s != NULL)
        settle(s);
    s = sent_add(p->sent, packet);
    s->number = packet->number;
    s->time_ns = packet->time_ns;
    s->chosen = note != NULL;
    s->datagram = s->place;
    if (note == NULL)
        return;
    if (note->datagram != NULL) {
        join_datagram(p, s, note, packet);
        return;
    }
    if (note->tcp.marks & MARK_DUPLICATE)
        return;
    s->flow = note->flow;
    s->side = note->side;
    s->counts = !(note->tcp.marks & MARK_UNREACHABLE);
    s->leading = s->whole = true;
    s->pieces = 1;
    if (s->flow != NULL)
        tell_sent(p, s, packet);
}

/* ---- Arriving ---- */

static int64_t span_ns(int64_t from, int64_t to)
{
    int64_t span;

    return __builtin_sub_overflow(to, from, &span) ? INT64_MAX : span;
}

/* `head` stands for the packet or datagram; `first`: it has arrived just now. */
static void count_arrival(struct sent_packet *head, bool first, const struct packet *packet,
                          struct fate *fate)
{
    struct transit_side *side = &transit_of(head->flow)->side[head->side];

    if (first) {
        fate->after = transit_arrives(side, head->number, fate->transit_ns);
        transit_add(&side->duplicated, head->number, head->extra);
    } else {
        transit_add(&side->duplicated, head->number, 1);
    }
    if (head->damaged && !head->told_damaged) {
        head->told_damaged = true;
        transit_add(&side->corrupted, head->number, 1);
    }
    if (head->flow->protocol == IP_TCP && packet != NULL)
        fate->state = transit_happens(head->flow, head->side ^ 1u, head->side, packet);
}

/* `taken` is the packet, or NULL if its receiver cannot take it. */
static void arrive(struct points *p, struct sent_packet *s, const struct packet *packet,
                   bool damaged, const struct packet *taken)
{
    struct sent_packet *head = sent_at(p->sent, s->datagram);
    bool again = s->copies++ > 0, first;
    struct fate fate;

    if (head == NULL || head->flow == NULL)
        return;
    head->damaged |= damaged;
    head->pieces_arrived += !again;
    head->extra += again && s->leading;
    first = !head->arrived && head->whole && head->pieces_arrived == head->pieces;
    head->arrived |= first;
    if (!head->arrived || (!first && !s->leading))
        return;
    fate = (struct fate){.flow = head->flow,
                         .packet = head->number,
                         .arrivals = head->extra + 1,
                         .arrival = packet->number,
                         .damaged = head->damaged,
                         .transit_ns = span_ns(head->time_ns, packet->time_ns),
                         .side = head->side ^ 1u};
    if (head->counts)
        count_arrival(head, first, taken, &fate);
    tell(p, &fate);
}

static void count_unmatched(struct points *p, const struct packet *packet)
{
    if (packet->protocol != IP_TCP && packet->protocol != IP_UDP)
        return; /* a host's own, and no flow's */
    if (p->unmatched++ == 0)
        p->first_unmatched = packet->number;
}

bool points_arrived(struct points *p, const struct packet *packet, const uint8_t *source,
                    bool chosen, bool usable)
{
    struct passage_tag tag;
    struct sent_packet *s;
    bool damaged = checksum_is_wrong(packet);

    if (!passage_tag(source, &tag))
        return false;
    s = sent_find(p->sent, packet, &tag, &damaged);
    if (s == NULL) {
        if (chosen)
            count_unmatched(p, packet);
        return chosen;
    }
    if (!s->chosen)
        return false;
    arrive(p, s, packet, damaged, damaged || !usable ? NULL : packet);
    return true;
}

/* ---- The end ---- */

void points_finish(struct points *p)
{
    if (p->decision == UNDECIDED)
        decide_one(p);
    if (p->decision == TWO_POINTS)
        settle_all(p);
}

bool points_two(const struct points *p, uint64_t *since)
{
    *since = p->since;
    return p->decision == TWO_POINTS;
}

uint64_t points_unmatched(const struct points *p, uint64_t *first)
{
    *first = p->first_unmatched;
    return p->unmatched;
}
