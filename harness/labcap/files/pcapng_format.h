/* pcapng_format.h - what those who write and read pcapng themselves share: the numbers of the
 * format, and fetching numbers from a file of either byte order. */
#ifndef LABCAP_PCAPNG_FORMAT_H
#define LABCAP_PCAPNG_FORMAT_H

#include <byteswap.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum block_type {
    BLOCK_SECTION = 0x0a0d0d0a, /* a palindrome: the same in either byte order */
    BLOCK_INTERFACE = 1,
    BLOCK_OLD_PACKET = 2,
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6 /* Enhanced Packet Block */
};

/* Option codes have a meaning of their own in each type of block. */
enum option_code {
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    SHB_USERAPPL = 4,
    IF_NAME = 2,
    IF_TSRESOL = 9,
    IF_FILTER = 11,
    IF_TSOFFSET = 14,
    EPB_DROPCOUNT = 4,
    ISB_ENDTIME = 3,
    ISB_IFRECV = 4,
    ISB_IFDROP = 5,
    ISB_OSDROP = 7
};

enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d };

/* Octets of an Enhanced Packet Block's fields, behind its type and length: interface, stamp,
 * captured and original length. */
enum { PACKET_FIELDS = 20, PACKET_CAPTURED = 12 };

/* `swapped`: the section is in the other byte order than this machine's. */
static inline uint16_t ng_u16(const uint8_t *p, bool swapped)
{
    uint16_t value;

    memcpy(&value, p, sizeof value);
    return swapped ? bswap_16(value) : value;
}

static inline uint32_t ng_u32(const uint8_t *p, bool swapped)
{
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return swapped ? bswap_32(value) : value;
}

static inline uint64_t ng_u64(const uint8_t *p, bool swapped)
{
    uint64_t value;

    memcpy(&value, p, sizeof value);
    return swapped ? bswap_64(value) : value;
}

static inline void ng_put_u16(uint8_t *p, uint16_t value, bool swapped)
{
    value = swapped ? bswap_16(value) : value;
    memcpy(p, &value, sizeof value);
}

static inline void ng_put_u32(uint8_t *p, uint32_t value, bool swapped)
{
    value = swapped ? bswap_32(value) : value;
    memcpy(p, &value, sizeof value);
}

static inline void ng_put_u64(uint8_t *p, uint64_t value, bool swapped)
{
    value = swapped ? bswap_64(value) : value;
    memcpy(p, &value, sizeof value);
}

#endif
