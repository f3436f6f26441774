/* records.c - see records.h. */
#include "records.h"

#include "pcapng_format.h"

enum {
    FILE_HEADER = 24,
    RECORD_HEADER = 16,
    BLOCK_HEADER = 8,
    BLOCK_ENDS = 12,  /* its type, and its length twice */
    INTERFACE_FIELDS = 8,
    MICRO = 6,
    NANO = 9, /* decimal digits of a fraction */
    NS_PER_S = 1000000000
};

static const uint32_t magic_us = 0xa1b2c3d4, magic_ns = 0xa1b23c4d;

/* ---- pcap ---- */

static bool next_pcap(struct records *r, struct reader_frame *frame);

/* As much as it needs is not there yet. Apart: what most records take calls nothing. */
static __attribute__((noinline)) bool fetch_pcap(struct records *r, struct reader_frame *frame,
                                                 size_t size)
{
    return octets_fetch(r->octets, size) && next_pcap(r, frame);
}

static bool next_pcap(struct records *r, struct reader_frame *frame)
{
    size_t there;
    const uint8_t *p = octets_there(r->octets, &there);
    uint32_t seconds, fraction, captured;

    if (there < RECORD_HEADER)
        return fetch_pcap(r, frame, RECORD_HEADER);
    seconds = ng_u32(p, r->swapped);
    fraction = ng_u32(p + 4, r->swapped);
    captured = ng_u32(p + 8, r->swapped);
    if (seconds > INT32_MAX || fraction >= r->units || captured > r->captured_max)
        return false;
    if (there - RECORD_HEADER < captured)
        return fetch_pcap(r, frame, RECORD_HEADER + (size_t)captured);
    frame->time_ns = (int64_t)seconds * NS_PER_S + (int64_t)fraction * r->unit_ns;
    frame->captured = captured;
    frame->wire_len = ng_u32(p + 12, r->swapped);
    frame->bytes = p + RECORD_HEADER;
    octets_take(r->octets, RECORD_HEADER + (size_t)captured);
    return true;
}

static bool is_ordinary_pcap(struct records *r, const uint8_t *p, size_t size)
{
    uint32_t magic;

    if (size != FILE_HEADER || ng_u16(p + 4, r->swapped) != 2 || ng_u16(p + 6, r->swapped) != 4)
        return false;
    magic = ng_u32(p, r->swapped);
    return magic == magic_us || magic == magic_ns;
}

static void set_units(struct records *r, int digits)
{
    r->unit_ns = digits == MICRO ? 1000 : 1;
    r->units = NS_PER_S / r->unit_ns;
}

/* ---- pcapng ---- */

/* The next block, whole and with equal lengths at both ends; NULL otherwise. */
static const uint8_t *look_at_block(struct records *r, uint32_t *length)
{
    const uint8_t *p = octets_look(r->octets, BLOCK_HEADER);

    if (p == NULL)
        return NULL;
    *length = ng_u32(p + 4, r->swapped);
    if (*length < BLOCK_ENDS || *length % 4 != 0 || *length > OCTETS_MAX)
        return NULL;
    p = octets_look(r->octets, *length);
    return p != NULL && ng_u32(p + *length - 4, r->swapped) == *length ? p : NULL;
}

/* What the packet tells of drops. Returns false if it may not tell yet. */
static bool take_drops(struct records *r, const uint8_t *options, uint32_t size)
{
    uint64_t lost = pcapng_drops_before(options, size, r->swapped);

    if (lost > 0 && r->octets->mapped > 0) /* what it tells cannot be untold */
        return false;
    pcapng_drops_packet(r->drops, 0, lost);
    return true;
}

/* An Enhanced Packet Block of the first interface. */
static bool read_packet(struct records *r, const uint8_t *p, uint32_t length,
                        struct reader_frame *frame)
{
    uint64_t stamp;
    uint32_t data, behind;

    if (length < BLOCK_ENDS + PACKET_FIELDS || ng_u32(p + 8, r->swapped) != 0)
        return false;
    stamp = (uint64_t)ng_u32(p + 12, r->swapped) << 32 | ng_u32(p + 16, r->swapped);
    frame->captured = ng_u32(p + 20, r->swapped);
    if (stamp > (uint64_t)TIME_NS_MAX / r->unit_ns || frame->captured > r->captured_max ||
        frame->captured > length - BLOCK_ENDS - PACKET_FIELDS)
        return false;
    frame->time_ns = (int64_t)stamp * r->unit_ns;
    frame->wire_len = ng_u32(p + 24, r->swapped);
    frame->bytes = p + BLOCK_HEADER + PACKET_FIELDS;
    data = frame->captured + (-frame->captured & 3);
    behind = length - BLOCK_ENDS - PACKET_FIELDS - data; /* the padding fits */
    return behind < 4 || take_drops(r, frame->bytes + data, behind);
}

static bool next_pcapng(struct records *r, struct reader_frame *frame)
{
    const uint8_t *p;
    uint32_t length;

    while ((p = look_at_block(r, &length)) != NULL) {
        switch (ng_u32(p, r->swapped)) {
        case BLOCK_PACKET:
            if (!read_packet(r, p, length, frame))
                return false;
            octets_take(r->octets, length);
            return true;
        case BLOCK_SECTION:
        case BLOCK_INTERFACE:
        case BLOCK_OLD_PACKET:
        case BLOCK_SIMPLE_PACKET:
            return false;
        case BLOCK_STATISTICS:
            if (r->octets->mapped > 0) /* as in take_drops() */
                return false;
            pcapng_drops_block(r->drops, p + BLOCK_HEADER, length - BLOCK_ENDS, r->swapped);
            break;
        }
        octets_take(r->octets, length);
    }
    return false;
}

/* The decimal digits of an interface's stamps; 0 for anything but plain MICRO or NANO. libpcap
 * has found its options sound. */
static int stamp_digits(const uint8_t *options, size_t size, bool swapped)
{
    int digits = MICRO;
    size_t at = 0;

    while (size - at >= 4) {
        uint16_t code = ng_u16(options + at, swapped);
        size_t length = ng_u16(options + at + 2, swapped);

        at += 4;
        if (code == OPTION_END)
            break;
        if (length > size - at || code == IF_TSOFFSET)
            return 0;
        if (code == IF_TSRESOL)
            digits = options[at];
        length += -length & 3;
        at += length < size - at ? length : size - at;
    }
    return digits == MICRO || digits == NANO ? digits : 0;
}

/* The blocks up to and with the first interface's. Returns its stamps' digits, 0 if odd. */
static int find_stamp_digits(const uint8_t *p, size_t size, bool swapped)
{
    while (size >= BLOCK_ENDS) {
        uint32_t type = ng_u32(p, swapped), length = ng_u32(p + 4, swapped);

        if (length < BLOCK_ENDS || length > size || type == BLOCK_STATISTICS)
            return 0;
        if (type == BLOCK_INTERFACE)
            return length >= BLOCK_ENDS + INTERFACE_FIELDS
                       ? stamp_digits(p + BLOCK_HEADER + INTERFACE_FIELDS,
                                      length - BLOCK_ENDS - INTERFACE_FIELDS, swapped)
                       : 0;
        p += length;
        size -= length;
    }
    return 0;
}

/* ---- Both ---- */

void records_begin(struct records *r, struct octets *octets, pcap_t *pcap,
                   struct pcapng_drops *drops)
{
    size_t size;
    const uint8_t *p = octets_taken(octets, &size);
    int digits = 0;

    *r = (struct records){.octets = octets, .drops = drops, .swapped = pcap_is_swapped(pcap)};
    r->captured_max = (uint32_t)pcap_snapshot(pcap);
    if (r->captured_max > PCAPNG_SNAPLEN_MAX)
        r->captured_max = PCAPNG_SNAPLEN_MAX;
    if (p == NULL || size < FILE_HEADER)
        return;
    if (r->swapped && pcap_datalink(pcap) == DLT_LINUX_SLL) /* libpcap swaps in some frames */
        return;
    if (ng_u32(p, false) == BLOCK_SECTION) {
        digits = find_stamp_digits(p, size, r->swapped);
        r->next = digits != 0 ? next_pcapng : NULL;
    } else if (is_ordinary_pcap(r, p, size)) {
        digits = ng_u32(p, r->swapped) == magic_us ? MICRO : NANO;
        r->next = next_pcap;
    }
    set_units(r, digits);
}
