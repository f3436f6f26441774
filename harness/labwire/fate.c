/* fate.c - see fate.h. */
#include "fate.h"

#include <inttypes.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "passage.h"

/* ---- Delivering ------------------------------------------------------------------------- */

static void send_parcel(const struct parcel *parcel)
{
    port_send(parcel->to, parcel->bytes, parcel->length);
}

/* Sends it, and after it what waited for it. */
static void deliver(struct network *network, const struct parcel *parcel)
{
    struct parcel *released;

    send_parcel(parcel);
    while (parcel->completes &&
           (released = transit_take_held(&network->transit, parcel)) != NULL) {
        send_parcel(released);
        free(released);
    }
}

void network_deliver_due(struct network *network, int64_t now)
{
    struct parcel *parcel;

    while ((parcel = transit_take_due(&network->transit, now)) != NULL) {
        deliver(network, parcel);
        free(parcel);
    }
}

void network_release(struct network *network)
{
    struct parcel *parcel;

    while ((parcel = transit_take_held(&network->transit, NULL)) != NULL) {
        send_parcel(parcel);
        free(parcel);
    }
}

void network_free(struct network *network)
{
    for (size_t i = 0; i < PIECES_MAX; i++)
        pieces_end(&network->pieces.slots[i]);
    counts_free(&network->sent);
    free(network->log.text);
    free(network->transit.delayed);
}

/* ---- Deciding --------------------------------------------------------------------------- */

static const char *protocol_name(const struct packet *pk)
{
    static char number[8];

    switch (pk->protocol) {
    case IP_TCP:
        return "tcp";
    case IP_UDP:
        return "udp";
    case IP_ICMP:
    case IP_ICMPV6:
        return "icmp";
    default:
        snprintf(number, sizeof number, "ip-%u", (unsigned)pk->protocol);
        return number;
    }
}

/* With ports, where the protocol has them. */
static char *end_text(char text[ENDPOINT_TEXT_MAX], const struct endpoint *end,
                      const struct packet *pk)
{
    bool ports = pk->protocol == IP_TCP || pk->protocol == IP_UDP;

    return ports ? endpoint_text(text, end, pk->ip_version)
                 : address_text(text, ENDPOINT_TEXT_MAX, end, pk->ip_version);
}

static void tell(struct network *network, const struct rule *rule, const struct packet *pk)
{
    char source[ENDPOINT_TEXT_MAX], destination[ENDPOINT_TEXT_MAX];

    log_line(&network->log, "%zu %s %" PRIu64 " %s %s > %s %u\n",
             (size_t)(rule - network->rules->list) + 1, action_name(rule->action), rule->seen,
             protocol_name(pk), end_text(source, &pk->source, pk),
             end_text(destination, &pk->destination, pk), pk->payload_len);
}

/* The rule that decides, or NULL. All rules count the packet. */
static const struct rule *decide(struct network *network, const struct packet *pk)
{
    const struct rule *first = NULL;

    for (size_t i = 0; i < network->rules->count; i++) {
        struct rule *rule = &network->rules->list[i];
        if (!rule_describes(rule, pk) || !rule_count(rule) || first != NULL)
            continue;
        first = rule;
        tell(network, rule, pk);
    }
    return first;
}

/* ---- Doing it --------------------------------------------------------------------------- */

/* A copy of a datagram arrives behind the whole of it: copies of fragments in between would be
 * thrown away by the receiver, as it has them. */
static void duplicate_piece(struct network *network, struct datagram *datagram,
                            const struct parcel *parcel, bool whole)
{
    *datagram->copies_end = parcel_keep(parcel);
    datagram->copies_end = &(*datagram->copies_end)->next;
    send_parcel(parcel);
    for (struct parcel *copy = datagram->copies; whole && copy != NULL; copy = copy->next)
        deliver(network, copy);
}

/* DATAGRAM: the packet is a fragment of it; WHOLE: its last one. */
static void carry_out(struct network *network, const struct rule *rule, struct parcel *parcel,
                      struct datagram *datagram, bool whole)
{
    switch (rule ? rule->action : ACTIONS) {
    case ACTION_DROP:
        return;
    case ACTION_DELAY:
        parcel->due_ns = now_ns() + rule->delay_ns;
        transit_delay(&network->transit, parcel);
        return;
    case ACTION_REORDER:
        transit_hold(&network->transit, parcel);
        return;
    case ACTION_DUPLICATE:
        if (datagram != NULL) {
            duplicate_piece(network, datagram, parcel, whole);
            return;
        }
        send_parcel(parcel);
        break;
    default:
        break;
    }
    deliver(network, parcel);
}

/* A packet that is whole, or that cannot be made out: then no rule means it. */
static void take_whole(struct network *network, struct frame *frame, const struct packet *pk,
                       bool decoded, struct parcel *parcel)
{
    const struct rule *rule = decoded ? decide(network, pk) : NULL;

    parcel->number = ++network->packets;
    parcel->way = way_of(pk);
    parcel->completes = true;
    if (rule != NULL && rule->action == ACTION_CORRUPT)
        frame_damage(frame, pk);
    carry_out(network, rule, parcel, NULL, true);
}

static void take_piece(struct network *network, struct frame *frame, const struct packet *pk,
                       struct parcel *parcel)
{
    struct datagram *datagram;
    const struct rule *rule;
    bool whole;

    if (pk->fragment_offset == 0) {
        datagram = pieces_begin(&network->pieces, pk);
        datagram->number = ++network->packets;
        datagram->rule = decide(network, pk);
        if (datagram->rule != NULL && datagram->rule->action == ACTION_CORRUPT)
            frame_damage(frame, pk);
    } else if ((datagram = pieces_find(&network->pieces, pk)) == NULL) {
        send_parcel(parcel); /* the first fragment has not come by */
        return;
    }
    rule = datagram->rule;
    whole = pieces_count(datagram, pk);
    parcel->number = datagram->number;
    parcel->way = datagram->way;
    parcel->completes = whole;
    carry_out(network, rule, parcel, datagram, whole);
    if (whole)
        pieces_end(datagram);
}

void network_take(struct network *network, struct frame *frame, struct port *to)
{
    const uint8_t *ip = frame->bytes + ETHERNET_HEADER;
    struct parcel parcel = {.to = to, .bytes = frame->bytes, .length = frame->length};
    enum decode_result result;
    struct packet pk;
    uint32_t captured;
    uint64_t key;

    if (!frame_is_ip(frame) || !frame_complete(frame)) {
        send_parcel(&parcel);
        return;
    }
    captured = frame->length - ETHERNET_HEADER;
    key = passage_key(ip, captured, passage_ip_len(ip, captured));
    frame_tag(frame, key, counts_add(&network->sent, key));
    result = packet_decode(&pk, DLT_EN10MB, frame->bytes, frame->length, frame->length);
    if (pk.fragment && (result == DECODE_OK || result == DECODE_FRAGMENT))
        take_piece(network, frame, &pk, &parcel);
    else
        take_whole(network, frame, &pk, result == DECODE_OK, &parcel);
}
