/* Finds the count of lost packets in a pcapng file.
 *
 * Only the heads of blocks and the options of Interface Statistics Blocks are looked at; everything
 * else is passed over. A block's length is believed only as a distance to the next one, which
 * always moves forward, so that any sequence of octets ends this. */
#include <string.h>

#include "pcapng.h"
#include "pcapng_format.h"

enum { HEAD = 8, SECTION_HEAD = 12, LENGTH_AGAIN = 4 };

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t pcapng_drops_sum(const struct pcapng_drops *d)
{
    uint64_t sum = d->before;

    for (size_t i = 0; i <= PCAPNG_INTERFACES_MAX; i++)
        sum = add_saturating(sum, d->by_interface[i]);
    return sum;
}

/* The counts are since the start of the capture, so that of several blocks the largest holds. */
void pcapng_drops_block(struct pcapng_drops *d, const uint8_t *body, size_t size, bool swapped)
{
    uint64_t lost = 0;
    uint32_t interface;
    size_t at = 12; /* behind the interface and the stamp */

    if (size > PCAPNG_STATISTICS_MAX)
        size = PCAPNG_STATISTICS_MAX;
    if (size < at)
        return;
    interface = ng_u32(body, swapped);
    if (interface > PCAPNG_INTERFACES_MAX)
        interface = PCAPNG_INTERFACES_MAX;
    while (size - at >= 4) {
        uint16_t code = ng_u16(body + at, swapped);
        size_t length = ng_u16(body + at + 2, swapped);

        at += 4;
        if (code == 0 || length > size - at)
            break;
        if ((code == ISB_IFDROP || code == ISB_OSDROP) && length == 8)
            lost = add_saturating(lost, ng_u64(body + at, swapped));
        length += -length & 3;
        at += length < size - at ? length : size - at;
    }
    if (d->by_interface[interface] < lost)
        d->by_interface[interface] = lost;
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
}

static void next_block(struct pcapng_drops *d, uint64_t passed)
{
    d->to_pass = passed;
    d->kept = 0;
    d->wanted = HEAD;
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
    if (type == BLOCK_STATISTICS && d->wanted == HEAD && length > HEAD + LENGTH_AGAIN) {
        uint32_t body = length - HEAD - LENGTH_AGAIN;

        d->wanted += body < PCAPNG_STATISTICS_MAX ? body : PCAPNG_STATISTICS_MAX;
        return true;
    }
    next_block(d, length - d->wanted);
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
