/* rule.h - one rule: what is done to which packets.
 *
 *     ACTION KIND [from PORT] [to PORT] WHICH
 *
 * Each rule counts, from 1, the packets that its KIND and ports describe; WHICH says at which
 * ordinals it fires. Nothing else decides, no clock and no chance: a random choice is a hash of
 * the seed and the ordinal. */
#ifndef LABWIRE_RULE_H
#define LABWIRE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

enum action { ACTION_DROP, ACTION_DUPLICATE, ACTION_DELAY, ACTION_REORDER, ACTION_CORRUPT, ACTIONS };

enum kind {
    KIND_PACKET, KIND_TCP, KIND_UDP, KIND_ICMP,
    KIND_SYN,     /* a SYN without ACK */
    KIND_SYN_ACK,
    KIND_FIN, KIND_RST,
    KIND_DATA,    /* TCP with payload */
    KIND_ACK,     /* TCP: an ACK and nothing else, no payload either */
    KINDS
};

enum which { WHICH_LISTED, WHICH_EVERY, WHICH_ALL, WHICH_RANDOM };

enum { ANY_PORT = -1, RULE_REASON = 160 };

struct rule {
    char *text; /* as it was written, one space between words */
    enum action action;
    int64_t delay_ns;
    enum kind kind;
    int32_t from, to; /* ANY_PORT, or a port */
    enum which which;
    uint64_t *listed; /* ascending */
    size_t listed_count, listed_next;
    uint64_t every;
    uint64_t seed, below; /* of 2^32: fires where the hash's upper half is below it */
    uint64_t seen;        /* packets counted so far: the ordinal of the latest */
};

/* Reads TEXT. True, or false with a REASON (RULE_REASON bytes are enough) and nothing to free. */
bool rule_parse(struct rule *rule, const char *text, char *reason, size_t size);

void rule_free(struct rule *rule);

/* True if the packet is of those that the rule counts. */
bool rule_describes(const struct rule *rule, const struct packet *packet);

/* Counts one such packet. True if the rule fires for it. */
bool rule_count(struct rule *rule);

/* "drop", "duplicate", ... */
const char *action_name(enum action action);

#endif
