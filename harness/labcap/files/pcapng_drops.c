/* Finds the count of lost packets in a pcapng file.
 *
 * Only the heads of blocks and the options of Interface Statistics Blocks are read; everything
 * else is skipped over. A block's length is believed only as a distance to skip, which always
 * moves forward, so that any sequence of octets ends this. */
#include "bound.h"
#include "pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pcapng_format.h"

/* Of a statistics block: more options than that are not read. */
enum { BODY_MAX = BOUND(4096, 64) };

struct scan {
    FILE *file;
    bool swapped;
    uint64_t total;            /* of the sections that have ended */
    struct pcapng_drops drops; /* of this section */
};

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t pcapng_drops_sum(const struct pcapng_drops *drops)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= PCAPNG_INTERFACES_MAX; i++)
        sum = add_saturating(sum, drops->by_interface[i]);
    return sum;
}

static void end_section(struct scan *s)
{
    s->total = add_saturating(s->total, pcapng_drops_sum(&s->drops));
    memset(&s->drops, 0, sizeof s->drops);
}

/* The counts are since the start of the capture, so that of several blocks the largest holds. */
void pcapng_drops_take(struct pcapng_drops *drops, const uint8_t *body, size_t size,
                       bool swapped)
{
    uint64_t lost = 0;
    uint32_t interface;
    size_t at = 12; /* behind the interface and the stamp */

    if (size > BODY_MAX)
        size = BODY_MAX;
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
    if (drops->by_interface[interface] < lost)
        drops->by_interface[interface] = lost;
}

/* Reads the next block. Returns false at the end, wherever and whatever that is. */
static bool next_block(struct scan *s)
{
    uint8_t head[12], body[BODY_MAX];
    uint32_t type, length;
    size_t taken = 8, size = 0;

    if (fread(head, 1, 8, s->file) != 8)
        return false;
    type = ng_u32(head, s->swapped);
    if (type == BLOCK_SECTION) {
        if (fread(head + 8, 1, 4, s->file) != 4)
            return false;
        taken = 12;
        s->swapped = false;
        s->swapped = ng_u32(head + 8, s->swapped) != BYTE_ORDER_MAGIC;
        if (ng_u32(head + 8, s->swapped) != BYTE_ORDER_MAGIC)
            return false;
        end_section(s);
    }
    length = ng_u32(head + 4, s->swapped);
    if (length < 12 || length % 4 != 0 || length < taken + 4)
        return false;
    if (type == BLOCK_STATISTICS) {
        size = length - 12 < BODY_MAX ? length - 12 : BODY_MAX;
        size = fread(body, 1, size, s->file);
        pcapng_drops_take(&s->drops, body, size, s->swapped);
    }
    return fseeko(s->file, (off_t)(length - taken - size), SEEK_CUR) == 0;
}

int pcapng_read_drops(const char *path, uint64_t *drops)
{
    struct scan scan = { 0 };
    struct stat status;
    uint8_t start[4];
    int error = 0;

    *drops = 0;
    scan.file = fopen(path, "rbe");
    if (!scan.file)
        return -1;
    /* A pipe would be emptied before its reader comes to it. */
    if (fstat(fileno(scan.file), &status) == 0 && S_ISREG(status.st_mode) &&
        fread(start, 1, sizeof start, scan.file) == sizeof start &&
        ng_u32(start, false) == BLOCK_SECTION) {
        rewind(scan.file);
        while (next_block(&scan))
            ;
        end_section(&scan);
        *drops = scan.total;
    }
    if (ferror(scan.file))
        error = EIO;
    fclose(scan.file);
    errno = error;
    return error ? -1 : 0;
}
