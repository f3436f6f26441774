/* Finds the count of lost packets in a pcapng file.
 *
 * Only the heads of blocks and the options of Interface Statistics Blocks are read; everything
 * else is skipped over. A block's length is believed only as a distance to skip, which always
 * moves forward, so that any sequence of octets ends this. */
#include "pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pcapng_format.h"

enum {
    BODY_MAX = 4096,    /* of a statistics block: more options than that are not read */
    INTERFACES_MAX = 64 /* of a section; above it the largest count of them all counts */
};

struct scan {
    FILE *file;
    bool swapped;
    uint64_t total;                     /* of the sections that have ended */
    uint64_t drops[INTERFACES_MAX + 1]; /* of this section, by interface */
};

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void end_section(struct scan *s)
{
    for (size_t i = 0; i <= INTERFACES_MAX; i++)
        s->total = add_saturating(s->total, s->drops[i]);
    memset(s->drops, 0, sizeof s->drops);
}

/* The counts are since the start of the capture, so that of several blocks the largest holds. */
static void read_statistics(struct scan *s, const uint8_t *body, size_t size)
{
    uint64_t lost = 0;
    uint32_t interface;
    size_t at = 12; /* behind the interface and the stamp */

    if (size < at)
        return;
    interface = ng_u32(body, s->swapped);
    if (interface > INTERFACES_MAX)
        interface = INTERFACES_MAX;
    while (size - at >= 4) {
        uint16_t code = ng_u16(body + at, s->swapped);
        size_t length = ng_u16(body + at + 2, s->swapped);

        at += 4;
        if (code == 0 || length > size - at)
            break;
        if ((code == ISB_IFDROP || code == ISB_OSDROP) && length == 8)
            lost = add_saturating(lost, ng_u64(body + at, s->swapped));
        length += -length & 3;
        at += length < size - at ? length : size - at;
    }
    if (s->drops[interface] < lost)
        s->drops[interface] = lost;
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
        read_statistics(s, body, size);
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
