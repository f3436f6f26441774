/* records.h - the ordinary records of a trace file, read without libpcap.
 *
 * Ordinary is what recorders write: pcap 2.4 (microseconds or nanoseconds, either byte order),
 * and pcapng with one section, one interface and decimal stamps of that kind. libpcap has opened
 * the file and goes on at the first record that is anything else, or not whole: what is odd is
 * its business, and so are the words for it. */
#ifndef LABCAP_RECORDS_H
#define LABCAP_RECORDS_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "octets.h"
#include "pcapng.h"
#include "reader.h"

struct records;
typedef bool records_next_fn(struct records *records, struct reader_frame *frame);

struct records {
    records_next_fn *next; /* NULL: nothing is ordinary */
    struct octets *octets;
    bool swapped;          /* the other byte order than this machine's */
    uint32_t captured_max;
    uint32_t units, unit_ns; /* of a fraction: in a second, of how many nanoseconds */
    struct pcapng_drops *drops; /* is told of statistics and by packets */
};

/* libpcap has just opened the file: its first record is next. */
void records_begin(struct records *records, struct octets *octets, pcap_t *pcap,
                   struct pcapng_drops *drops);

/* Sets all of the frame but `number` and `chosen`. False, and nothing is taken, if the next
 * record is for libpcap: then all later ones are, too. */
static inline bool records_next(struct records *records, struct reader_frame *frame)
{
    return records->next != NULL && records->next(records, frame);
}

#endif
