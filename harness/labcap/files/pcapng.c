#include "pcapng.h"

#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "pcapng_format.h"

enum {
    LINKTYPE_RAW = 101,    /* in files; DLT_RAW differs between systems */
    TSRESOL_NANOSECOND = 9 /* stamps are in units of 10^-9 s */
};

/* Room for one largest packet. What is written at a time is less where packets are smaller: it
 * should still be in the processor's cache then, and larger writes into a file take the kernel
 * several times as long for a byte. */
enum { BUFFER_SIZE = 1 << 19, WRITE_SIZE = 32 << 10, PACKET_OVERHEAD = 64, OPTION_MAX = 4096 };

/* ---- Building blocks -------------------------------------------------------------------- */

bool pcapng_open(struct pcapng_writer *w, pcapng_sink_fn *sink, void *context)
{
    *w = (struct pcapng_writer){ .sink = sink, .context = context };
    w->buffer = malloc(BUFFER_SIZE);
    return w->buffer != NULL;
}

void pcapng_close(struct pcapng_writer *w)
{
    free(w->buffer);
    w->buffer = NULL;
}

bool pcapng_flush(struct pcapng_writer *w)
{
    if (!w->failed && w->used > 0)
        w->failed = !w->sink(w->context, w->buffer, w->used);
    w->used = 0;
    return !w->failed;
}

/* Bytes and their padding to a multiple of 4. The callers see to it that they fit. */
static void put_bytes(struct pcapng_writer *w, const void *bytes, size_t size)
{
    size_t padding = -size & 3;

    memcpy(w->buffer + w->used, bytes, size);
    memset(w->buffer + w->used + size, 0, padding);
    w->used += size + padding;
}

/* Numbers stand in the writer's own byte order; BYTE_ORDER_MAGIC tells the reader which. */
static void put_u32(struct pcapng_writer *w, uint32_t value)
{
    put_bytes(w, &value, sizeof value);
}

static void put_option(struct pcapng_writer *w, uint16_t code, const void *bytes, size_t size)
{
    uint16_t head[2] = { code, (uint16_t)size };

    put_bytes(w, head, sizeof head);
    put_bytes(w, bytes, size);
}

static void put_text_option(struct pcapng_writer *w, uint16_t code, const char *text)
{
    size_t size = text ? strlen(text) : 0;

    if (size > 0)
        put_option(w, code, text, size < OPTION_MAX ? size : OPTION_MAX);
}

/* A stamp is two 32-bit halves, the high one first, in either byte order. */
static void put_time(struct pcapng_writer *w, uint64_t time_ns)
{
    put_u32(w, (uint32_t)(time_ns >> 32));
    put_u32(w, (uint32_t)time_ns);
}

static size_t block_start(struct pcapng_writer *w, uint32_t type, size_t body_max)
{
    size_t start;

    if (w->used >= WRITE_SIZE || w->used + body_max + PACKET_OVERHEAD > BUFFER_SIZE)
        pcapng_flush(w);
    start = w->used;
    put_u32(w, type);
    put_u32(w, 0); /* the length, when it is known */
    return start;
}

/* The length stands at both ends of a block, so that a file can be walked backwards. */
static void block_end(struct pcapng_writer *w, size_t start)
{
    uint32_t length = (uint32_t)(w->used - start + sizeof length);

    put_u32(w, length);
    memcpy(w->buffer + start + 4, &length, sizeof length);
}

/* ---- The blocks ------------------------------------------------------------------------- */

void pcapng_begin(struct pcapng_writer *w, const struct pcapng_interface *interface)
{
    static const uint16_t version[2] = { 1, 0 };
    static const uint8_t unknown_length[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
    static const uint8_t tsresol = TSRESOL_NANOSECOND;
    bool raw = interface->link_type == DLT_RAW;
    uint16_t link[2] = { raw ? LINKTYPE_RAW : (uint16_t)interface->link_type, 0 };
    uint8_t filter[1 + OPTION_MAX] = { 0 }; /* 0: a filter in libpcap's language follows */
    size_t filter_len = interface->filter ? strnlen(interface->filter, OPTION_MAX) : 0;
    size_t block = block_start(w, BLOCK_SECTION, 64);

    put_u32(w, BYTE_ORDER_MAGIC);
    put_bytes(w, version, sizeof version);
    put_bytes(w, unknown_length, sizeof unknown_length);
    put_text_option(w, SHB_USERAPPL, "labcap");
    put_u32(w, OPTION_END);
    block_end(w, block);

    block = block_start(w, BLOCK_INTERFACE, 2 * OPTION_MAX + 64);
    put_bytes(w, link, sizeof link);
    put_u32(w, interface->snaplen);
    put_text_option(w, IF_NAME, interface->name);
    put_option(w, IF_TSRESOL, &tsresol, sizeof tsresol);
    if (filter_len > 0) {
        memcpy(filter + 1, interface->filter, filter_len);
        put_option(w, IF_FILTER, filter, 1 + filter_len);
    }
    put_u32(w, OPTION_END);
    block_end(w, block);
}

void pcapng_packet(struct pcapng_writer *w, uint64_t time_ns, uint32_t captured,
                   uint32_t wire_len, const uint8_t *bytes)
{
    size_t block;

    if (captured > PCAPNG_SNAPLEN_MAX)
        captured = PCAPNG_SNAPLEN_MAX;
    block = block_start(w, BLOCK_PACKET, captured);
    put_u32(w, 0); /* the only interface */
    put_time(w, time_ns);
    put_u32(w, captured);
    put_u32(w, wire_len);
    put_bytes(w, bytes, captured);
    block_end(w, block);
}

void pcapng_statistics(struct pcapng_writer *w, uint64_t time_ns, uint64_t received,
                       uint64_t dropped)
{
    uint32_t end[2] = { (uint32_t)(time_ns >> 32), (uint32_t)time_ns };
    size_t block = block_start(w, BLOCK_STATISTICS, 128);

    put_u32(w, 0); /* the only interface */
    put_time(w, time_ns);
    put_option(w, ISB_ENDTIME, end, sizeof end);
    put_option(w, ISB_IFRECV, &received, sizeof received);
    put_option(w, ISB_IFDROP, &dropped, sizeof dropped);
    put_u32(w, OPTION_END);
    block_end(w, block);
}
