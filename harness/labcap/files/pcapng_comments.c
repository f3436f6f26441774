/* pcapng_comments.c - see pcapng_comments.h.
 *
 * Block by block into a second file, which is begun at the first packet that gets a comment. */
#include "pcapng_comments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pcapng_format.h"
#include "replacement.h"

enum {
    BLOCK_MIN = 12,
    BLOCK_MAX = 64 << 20,
    SECTION_MIN = 28,
    SECTION_LENGTH_AT = 16,
    PACKET_CAPTURED_AT = 20, /* in both kinds of blocks that can have comments */
    PACKET_DATA_AT = 28,
    COMMENT_ROOM = 4 + PCAPNG_COMMENT_MAX + 3 + 4, /* an option, its padding, the end of all */
    ROOM_STEP = 64 << 10
};

struct rewrite {
    struct replacement file;
    uint8_t *block;
    uint32_t length; /* of the block */
    size_t capacity;
    bool swapped;
    uint64_t packets;
    uint64_t at, grown;      /* of the blocks so far: bytes in the file, and added to it */
    uint64_t section_at;     /* where its block begins in the new file */
    uint64_t section_length; /* as it says; UINT64_MAX: it does not */
    uint64_t section_grown;  /* `grown` when it began */
};

#define FAIL(r, ...) replacement_fail(&(r)->file, __VA_ARGS__)

/* ---- Comments --------------------------------------------------------------------------- */

/* Where the options of the packet at hand end, in the block: at the mark of their end, or where
 * there is none (*marked false). True in *has if one of them is this comment. Returns 0 where the
 * block contradicts itself. */
static uint32_t find_options_end(const struct rewrite *r, const char *comment, bool *marked,
                                 bool *has)
{
    uint32_t captured, end = r->length - 4, at = PACKET_DATA_AT;
    size_t size = strlen(comment);

    *marked = *has = false;
    if (end < at)
        return 0;
    captured = ng_u32(r->block + PACKET_CAPTURED_AT, r->swapped);
    if (captured > end - at || captured + (-captured & 3) > end - at)
        return 0;
    at += captured + (-captured & 3);
    while (at < end) {
        uint16_t code = ng_u16(r->block + at, r->swapped);
        uint32_t length = ng_u16(r->block + at + 2, r->swapped);

        if (code == OPTION_END) {
            *marked = true;
            return at;
        }
        at += 4;
        if (length + (-length & 3) > end - at)
            return 0;
        if (code == OPTION_COMMENT && length == size &&
            memcmp(r->block + at, comment, size) == 0)
            *has = true;
        at += length + (-length & 3);
    }
    return at;
}

/* Puts the comment into the block, where its options end. */
static void insert(struct rewrite *r, const char *comment, uint32_t at, bool marked)
{
    uint32_t size = (uint32_t)strlen(comment), padded = size + (-size & 3);
    uint32_t more = 4 + padded + (marked ? 0 : 4);
    uint8_t *p = r->block + at;

    memmove(p + more, p, r->length - at);
    memset(p, 0, more);
    ng_put_u16(p, OPTION_COMMENT, r->swapped);
    ng_put_u16(p + 2, (uint16_t)size, r->swapped);
    memcpy(p + 4, comment, size);
    r->length += more;
    r->grown += more;
    ng_put_u32(r->block + 4, r->length, r->swapped);
    ng_put_u32(r->block + r->length - 4, r->length, r->swapped);
}

static bool add_comment(struct rewrite *r, const char *comment)
{
    bool marked, has;
    uint32_t at = find_options_end(r, comment, &marked, &has);

    if (at == 0)
        return FAIL(r, "packet %" PRIu64 ": its block contradicts itself", r->packets);
    if (has || strlen(comment) > PCAPNG_COMMENT_MAX)
        return true;
    if (r->file.out == NULL && !replacement_begin(&r->file, r->at))
        return false;
    insert(r, comment, at, marked);
    return true;
}

/* ---- Blocks ----------------------------------------------------------------------------- */

/* A section that tells its length tells the new one. */
static bool end_section(struct rewrite *r)
{
    uint8_t length[8];

    if (r->file.out == NULL || r->section_length == UINT64_MAX || r->grown == r->section_grown)
        return true;
    ng_put_u64(length, r->section_length + r->grown - r->section_grown, r->swapped);
    return replacement_patch(&r->file, r->section_at + SECTION_LENGTH_AT, length, sizeof length);
}

static void make_room(struct rewrite *r, size_t size)
{
    if (size <= r->capacity)
        return;
    r->capacity = size + ROOM_STEP;
    r->block = need(realloc(r->block, r->capacity));
}

/* The block's first 12 bytes are there: learns the byte order, and from it the length. */
static bool take_head(struct rewrite *r)
{
    if (ng_u32(r->block, false) == BLOCK_SECTION) {
        bool swapped = ng_u32(r->block + 8, false) != BYTE_ORDER_MAGIC;

        if (!end_section(r))
            return false;
        r->swapped = swapped;
        if (ng_u32(r->block + 8, swapped) != BYTE_ORDER_MAGIC)
            return FAIL(r, "not a pcapng file");
    }
    r->length = ng_u32(r->block + 4, r->swapped);
    if (r->length < BLOCK_MIN || r->length % 4 != 0 || r->length > BLOCK_MAX)
        return FAIL(r, "byte %" PRIu64 ": no pcapng block has %" PRIu32 " bytes", r->at,
                    r->length);
    return true;
}

/* Reads a block. *end is set where the file ends instead. */
static bool read_block(struct rewrite *r, bool *end)
{
    size_t n;

    make_room(r, BLOCK_MIN);
    n = fread(r->block, 1, BLOCK_MIN, r->file.in);
    *end = n == 0;
    if (n == 0 && !ferror(r->file.in))
        return true;
    if (n == BLOCK_MIN && !take_head(r))
        return false;
    if (n == BLOCK_MIN) {
        make_room(r, r->length + COMMENT_ROOM);
        n += fread(r->block + n, 1, r->length - n, r->file.in);
    }
    if (ferror(r->file.in))
        return FAIL(r, "%s", strerror(errno));
    if (n < BLOCK_MIN || n < r->length)
        return FAIL(r, "cut: its last block is not whole");
    if (ng_u32(r->block + r->length - 4, r->swapped) != r->length)
        return FAIL(r, "byte %" PRIu64 ": the two lengths of a block differ", r->at);
    return true;
}

static bool begin_section(struct rewrite *r)
{
    if (r->length < SECTION_MIN)
        return FAIL(r, "byte %" PRIu64 ": a section's head is too short", r->at);
    r->section_at = r->at + r->grown;
    r->section_length = ng_u64(r->block + SECTION_LENGTH_AT, r->swapped);
    r->section_grown = r->grown;
    return true;
}

static bool take_block(struct rewrite *r, pcapng_comment_fn *comment, void *context)
{
    uint32_t type = ng_u32(r->block, r->swapped), length = r->length;
    bool packet = type == BLOCK_PACKET || type == BLOCK_OLD_PACKET;
    const char *text = NULL;

    if (r->at == 0 && type != BLOCK_SECTION)
        return FAIL(r, "not a pcapng file");
    if (type == BLOCK_SECTION && !begin_section(r))
        return false;
    if (packet || type == BLOCK_SIMPLE_PACKET)
        text = comment(context, ++r->packets);
    if (packet && text != NULL && !add_comment(r, text))
        return false;
    r->at += length;
    return r->file.out == NULL || replacement_write(&r->file, r->block, r->length);
}

static bool take_blocks(struct rewrite *r, pcapng_comment_fn *comment, void *context)
{
    bool end = false;

    while (!end) {
        if (!read_block(r, &end))
            return false;
        if (!end && !take_block(r, comment, context))
            return false;
    }
    return end_section(r);
}

/* ---- The file --------------------------------------------------------------------------- */

bool pcapng_add_comments(const char *path, const struct stat *as_read,
                         pcapng_comment_fn *comment, void *context, char *error, size_t size)
{
    struct rewrite r = {.section_length = UINT64_MAX};
    bool done = replacement_open(&r.file, path, as_read, error, size) &&
                take_blocks(&r, comment, context) && replacement_commit(&r.file);

    replacement_close(&r.file);
    free(r.block);
    return done;
}
