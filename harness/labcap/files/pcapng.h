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

/* Reads from the Interface Statistics Blocks of a pcapng file of any writer, in either byte
 * order, how many packets its capturer lost. *drops is 0 where nothing tells: no pcapng, no such
 * block, a file that ends or goes wrong before it. Returns 0, or -1 if the file cannot be opened
 * or read (errno tells). */
int pcapng_read_drops(const char *path, uint64_t *drops);

/* The same, from blocks of one section that somebody else reads. `body` is a statistics block
 * without its type and lengths. */
enum { PCAPNG_INTERFACES_MAX = BOUND(64, 3) }; /* above it the largest count of them all counts */

struct pcapng_drops {
    uint64_t by_interface[PCAPNG_INTERFACES_MAX + 1];
};

void pcapng_drops_take(struct pcapng_drops *drops, const uint8_t *body, size_t size,
                       bool swapped);
uint64_t pcapng_drops_sum(const struct pcapng_drops *drops);

#endif
