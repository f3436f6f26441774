/* Finds the count of lost packets in a pcapng file.
 *
 * Only the heads of blocks and the options of Interface Statistics Blocks and of packets are
 * looked at; everything else is passed over. A block's length is believed only as a distance to
 * the next one, which always moves forward, so that any sequence of octets ends this. */
#include <string.h>

#include "pcapng.h"
#include "pcapng_format.h"

enum {
    HEAD = 8,
    SECTION_HEAD = 12,
    LENGTH_AGAIN = 4,
    PACKET_HEAD = HEAD + PACKET_FIELDS,
    OLD_PACKET_HEAD = HEAD + 4, /* with the interface and a count of drops */
    OPTIONS_READ = PCAPNG_STATISTICS_MAX - PACKET_FIELDS, /* of a packet's */
    DROPS_UNKNOWN = 0xffff
};

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t pcapng_drops_sum(const struct pcapng_drops *d)
{
    uint64_t sum = d->before;

    for (size_t i = 0; i <= PCAPNG_INTERFACES_MAX; i++)
        sum = add_saturating(sum, d->by_interface[i] > d->between_packets[i]
                                      ? d->by_interface[i]
                                      : d->between_packets[i]);
    return sum;
}

static size_t place_of(uint32_t interface)
{
    return interface < PCAPNG_INTERFACES_MAX ? interface : PCAPNG_INTERFACES_MAX;
}

/* The sum of the options with these codes, a bit each. */
static uint64_t sum_of(const uint8_t *options, size_t size, unsigned codes, bool swapped)
{
    uint64_t sum = 0;
    size_t at = 0;

    while (size - at >= 4) {
        uint16_t code = ng_u16(options + at, swapped);
        size_t length = ng_u16(options + at + 2, swapped);

        at += 4;
        if (code == OPTION_END || length > size - at)
            break;
        if (code < 32 && (codes >> code & 1) && length == 8)
            sum = add_saturating(sum, ng_u64(options + at, swapped));
        length += -length & 3;
        at += length < size - at ? length : size - at;
    }
    return sum;
}

/* The counts are since the start of the capture, so that of several blocks the largest holds. */
void pcapng_drops_block(struct pcapng_drops *d, const uint8_t *body, size_t size, bool swapped)
{
    enum { OPTIONS_AT = 12 }; /* behind the interface and the stamp */
    uint64_t lost, *most;

    if (size > PCAPNG_STATISTICS_MAX)
        size = PCAPNG_STATISTICS_MAX;
    if (size < OPTIONS_AT)
        return;
    most = &d->by_interface[place_of(ng_u32(body, swapped))];
    lost = sum_of(body + OPTIONS_AT, size - OPTIONS_AT, 1u << ISB_IFDROP | 1u << ISB_OSDROP,
                  swapped);
    if (*most < lost)
        *most = lost;
}

uint64_t pcapng_drops_before(const uint8_t *options, size_t size, bool swapped)
{
    return sum_of(options, size < OPTIONS_READ ? size : OPTIONS_READ, 1u << EPB_DROPCOUNT,
                  swapped);
}

void pcapng_drops_packet(struct pcapng_drops *d, uint32_t interface, uint64_t lost)
{
    uint64_t *sum = &d->between_packets[place_of(interface)];

    *sum = add_saturating(*sum, lost);
}

/* ---- Octets as they pass ---- */

void pcapng_drops_begin(struct pcapng_drops *d)
{
    *d = (struct pcapng_drops){.wanted = HEAD};
}

static void end_section(struct pcapng_drops *d)
{
    d->before = pcapng_drops_sum(d);
    memset(d->by_interface, 0, sizeof d->by_interface);
    memset(d->between_packets, 0, sizeof d->between_packets);
}

static void next_block(struct pcapng_drops *d, uint64_t passed)
{
    d->to_pass = passed;
    d->kept = 0;
    d->wanted = HEAD;
}

/* The fields of an Enhanced Packet Block, then its options: what lies between them passes. */
static void look_at_packet(struct pcapng_drops *d, uint32_t length)
{
    uint64_t captured = ng_u32(d->block + HEAD + PACKET_CAPTURED, d->swapped);
    uint64_t data = captured + (-captured & 3), ends = PACKET_HEAD + LENGTH_AGAIN;

    if (data > length - ends || length - ends - data < 4) {
        next_block(d, length - d->wanted);
    } else if (d->wanted == PACKET_HEAD) {
        uint64_t options = length - ends - data;

        d->to_pass = data;
        d->wanted += options < OPTIONS_READ ? (uint32_t)options : OPTIONS_READ;
    } else {
        pcapng_drops_packet(d, ng_u32(d->block + HEAD, d->swapped),
                            pcapng_drops_before(d->block + PACKET_HEAD, d->wanted - PACKET_HEAD,
                                                d->swapped));
        next_block(d, length - d->wanted - data);
    }
}

/* Such a packet has room for a count. */
static void look_at_old_packet(struct pcapng_drops *d, uint32_t length)
{
    uint16_t lost = ng_u16(d->block + HEAD + 2, d->swapped);

    if (lost != DROPS_UNKNOWN)
        pcapng_drops_packet(d, ng_u16(d->block + HEAD, d->swapped), lost);
    next_block(d, length - d->wanted);
}

/* How much of the block, beyond its head, tells of drops. */
static uint32_t wanted_of(uint32_t type, uint32_t body)
{
    if (type == BLOCK_STATISTICS)
        return body < PCAPNG_STATISTICS_MAX ? body : PCAPNG_STATISTICS_MAX;
    if (type == BLOCK_PACKET)
        return body < PACKET_FIELDS ? 0 : PACKET_FIELDS;
    return type == BLOCK_OLD_PACKET && body >= PACKET_FIELDS ? OLD_PACKET_HEAD - HEAD : 0;
}

/* Looks at what is wanted of a block, which is all there. Returns false if it is no block. */
static bool look(struct pcapng_drops *d)
{
    uint32_t type = ng_u32(d->block, d->swapped), length;

    if (type != BLOCK_SECTION && !d->in_section)
        return false;
    if (type == BLOCK_SECTION && d->wanted == HEAD) {
        d->wanted = SECTION_HEAD;
        return true;
    }
    if (type == BLOCK_SECTION) {
        d->swapped = ng_u32(d->block + HEAD, false) != BYTE_ORDER_MAGIC;
        if (ng_u32(d->block + HEAD, d->swapped) != BYTE_ORDER_MAGIC)
            return false;
        d->in_section = true;
        end_section(d);
    }
    length = ng_u32(d->block + 4, d->swapped);
    if (length < d->wanted + LENGTH_AGAIN || length % 4 != 0)
        return false;
    if (d->wanted == HEAD) {
        d->wanted += wanted_of(type, length - HEAD - LENGTH_AGAIN);
        if (d->wanted == HEAD)
            next_block(d, length - HEAD);
    } else if (type == BLOCK_PACKET) {
        look_at_packet(d, length);
    } else if (type == BLOCK_OLD_PACKET) {
        look_at_old_packet(d, length);
    } else {
        next_block(d, length - d->wanted);
    }
    return true;
}

/* The next octets of what is wanted. A block may be cut: what there is of it counts. */
static void keep(struct pcapng_drops *d, const uint8_t *bytes, size_t size)
{
    memcpy(d->block + d->kept, bytes, size);
    d->kept += (uint32_t)size;
    if (d->kept > HEAD && ng_u32(d->block, d->swapped) == BLOCK_STATISTICS)
        pcapng_drops_block(d, d->block + HEAD, d->kept - HEAD, d->swapped);
    if (d->kept == d->wanted)
        d->lost_track = !look(d);
}

void pcapng_drops_pass(void *drops, const uint8_t *bytes, size_t size)
{
    struct pcapng_drops *d = drops;

    while (size > 0 && !d->lost_track) {
        bool passes = d->to_pass > 0;
        uint64_t most = passes ? d->to_pass : d->wanted - d->kept;
        size_t n = most < size ? (size_t)most : size;

        if (passes)
            d->to_pass -= n;
        else
            keep(d, bytes, n);
        bytes += n;
        size -= n;
    }
}
