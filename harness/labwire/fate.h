/* fate.h - what becomes of a packet: the rules' decision, and its execution. */
#ifndef LABWIRE_FATE_H
#define LABWIRE_FATE_H

#include "counts.h"
#include "log.h"
#include "pieces.h"
#include "port.h"
#include "rules.h"
#include "transit.h"

struct network {
    struct rules *rules;
    struct log log;
    struct transit transit;
    struct pieces pieces;
    struct counts sent;  /* by key */
    uint64_t packets;    /* taken so far; all fragments of a datagram are one */
};

/* Takes a frame as it was sent; what is to arrive of it leaves through TO, now or later. The
 * frame's bytes are changed. */
void network_take(struct network *network, struct frame *frame, struct port *to);

/* Delivers what is due by NOW (clock.h). */
void network_deliver_due(struct network *network, int64_t now);

/* Delivers what is still held, as nothing will be sent after it. */
void network_release(struct network *network);

void network_free(struct network *network);

#endif
