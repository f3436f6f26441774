/* pcapng.h - the trace file that `record` writes, and what such a file tells of drops.
 *
 * pcapng (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng) rather than pcap, because
 * the count of lost packets and the interface travel with the packets. One section, one
 * interface, nanosecond stamps:
 *
 *   Section Header | Interface Description | Enhanced Packet ... | Interface Statistics
 *
 * The writer gathers whole blocks and passes them on together, so that what has been passed on
 * is a valid file at any time. */
#ifndef LABCAP_PCAPNG_H
#define LABCAP_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bound.h"

/* The largest snap length, as libpcap and Wireshark have it. */
enum { PCAPNG_SNAPLEN_MAX = 262144 };

/* Passes `size` bytes on, all of them. Returns false on failure. */
typedef bool pcapng_sink_fn(void *context, const uint8_t *bytes, size_t size);

struct pcapng_writer {
    pcapng_sink_fn *sink;
    void *context;
    bool failed; /* the sink has; nothing more is passed on */
    uint8_t *buffer;
    size_t used;
};

struct pcapng_interface {
    const char *name;
    const char *filter; /* NULL or "": none */
    int link_type;      /* DLT_..., as libpcap numbers it */
    uint32_t snaplen;
};

/* Returns false when out of memory. */
bool pcapng_open(struct pcapng_writer *w, pcapng_sink_fn *sink, void *context);
void pcapng_close(struct pcapng_writer *w);

/* The blocks, in their order in the file. A failure of the sink stays in w->failed. */
void pcapng_begin(struct pcapng_writer *w, const struct pcapng_interface *interface);
void pcapng_packet(struct pcapng_writer *w, uint64_t time_ns, uint32_t captured,
                   uint32_t wire_len, const uint8_t *bytes);
void pcapng_statistics(struct pcapng_writer *w, uint64_t time_ns, uint64_t received,
                       uint64_t dropped);

/* Passes everything on that was written so far. Returns false if that failed, now or before. */
bool pcapng_flush(struct pcapng_writer *w);

/* ---- How many packets a capturer lost, by the Interface Statistics Blocks of any writer, or by
 * what its packets say of those before them ---- */

enum {
    PCAPNG_INTERFACES_MAX = BOUND(64, 3), /* above it the largest count of them all counts */
    PCAPNG_STATISTICS_MAX = BOUND(4096, 64) /* octets of a block's options that are read */
};

struct pcapng_drops {
    /* Of this section, by statistics and by packets: the larger one counts. */
    uint64_t by_interface[PCAPNG_INTERFACES_MAX + 1];
    uint64_t between_packets[PCAPNG_INTERFACES_MAX + 1];
    uint64_t before; /* of earlier ones */
    /* For pcapng_drops_pass(): */
    bool in_section, swapped;
    bool lost_track; /* what came is no block of a pcapng file */
    uint64_t to_pass; /* octets up to the next block */
    uint32_t wanted, kept; /* of the next one */
    uint8_t block[8 + PCAPNG_STATISTICS_MAX];
};

void pcapng_drops_begin(struct pcapng_drops *drops);

/* Takes the next octets of the file, from its beginning, in pieces of any size; `drops` is a
 * struct pcapng_drops. */
void pcapng_drops_pass(void *drops, const uint8_t *bytes, size_t size);

/* Takes a statistics block of the section at hand, without its type and lengths, which does not
 * pass. */
void pcapng_drops_block(struct pcapng_drops *drops, const uint8_t *body, size_t size,
                        bool swapped);

/* The options of an Enhanced Packet Block: how many they say were lost before it; and takes them,
 * from a block that does not pass. */
uint64_t pcapng_drops_before(const uint8_t *options, size_t size, bool swapped);
void pcapng_drops_packet(struct pcapng_drops *drops, uint32_t interface, uint64_t lost);

/* 0 where nothing has told of any. */
uint64_t pcapng_drops_sum(const struct pcapng_drops *drops);

#endif
