/* fuzz_file.c - the readers of files: pcap, pcapng, and what rewrites pcapng.
 *
 * Each file is read by `flows`; which other command gets it is decided by its octets, so that
 * the same file always goes the same way. */
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "fuzz.h"
#include "reader.h"

static uint32_t digest(const uint8_t *bytes, size_t size)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < size; i++)
        h = (h ^ bytes[i]) * 16777619u;
    return h ^ h >> 16;
}

/* Their programs would have to be started. */
static bool is_compressed(const uint8_t *bytes, size_t size)
{
    return size >= 4 && (get_be16(bytes) == 0x1f8b || get_be32(bytes) == 0x28b52ffd);
}

static void require(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "this contradicts libpcap: %s\n", what);
    abort();
}

static void compare_packet(const struct reader_frame *f, const struct pcap_pkthdr *header,
                           const uint8_t *bytes)
{
    __int128 ns = (__int128)header->ts.tv_sec * 1000000000 + header->ts.tv_usec;

    require(f->captured == header->caplen, "the captured length");
    require(f->wire_len == header->len, "the wire length");
    require(memcmp(f->bytes, bytes, f->captured) == 0, "the octets");
    require(f->time_ns == (ns > TIME_NS_MAX ? TIME_NS_MAX : ns < -TIME_NS_MAX ? -TIME_NS_MAX : ns),
            "the time");
}

/* From the mapped file as long as that goes. */
static enum reader_result next_packet(struct reader *reader, bool *mapped,
                                      struct reader_frame *frame)
{
    struct reader_place place = reader_place(reader);

    if (*mapped) {
        if (reader_next_mapped(reader, frame))
            return READER_PACKET;
        require(reader_sound(reader), "what is in the file");
        reader_unmap(reader, place);
        *mapped = false;
    }
    return reader_next(reader, frame);
}

/* The reader has ordinary records without libpcap: all must be as libpcap alone has them. */
static void compare_with_libpcap(const char *path, bool map)
{
    char error[PCAP_ERRBUF_SIZE + 64];
    pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
    struct pcap_pkthdr *header;
    struct reader *reader;
    struct reader_frame frame;
    enum reader_result ours = READER_PACKET;
    const uint8_t *bytes;

    if (reader_open(&reader, path, NULL, error, sizeof error) == READER_OPEN) {
        bool mapped = map && reader_map(reader, 0);

        require(pcap != NULL, "that it can be read");
        while (ours == READER_PACKET) {
            int theirs = pcap_next_ex(pcap, &header, &bytes);

            ours = next_packet(reader, &mapped, &frame);
            require((ours == READER_PACKET) == (theirs == 1), "that there is a packet");
            require((ours == READER_END) == (theirs == PCAP_ERROR_BREAK), "the end");
            if (ours == READER_PACKET)
                compare_packet(&frame, header, bytes);
        }
        reader_close(reader);
    }
    if (pcap != NULL)
        pcap_close(pcap);
}

/* annotate() replaces files on a disk: it needs one that has a name. The trace it leaves has the
 * same packets. */
static void annotate(const uint8_t *bytes, size_t size)
{
    char path[] = "/dev/shm/labcap-fuzz-XXXXXX";
    int fd = mkstemp(path), before, after;

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) != 0)
        abort();
    before = fuzz_labcap((const char *const[]){"flows", path, NULL});
    after = fuzz_labcap((const char *const[]){"annotate", path, NULL});
    if (after == 0 && fuzz_labcap((const char *const[]){"flows", path, NULL}) != before)
        abort();
    unlink(path);
}

void fuzz_file(const uint8_t *bytes, size_t size)
{
    const char *path;

    if (is_compressed(bytes, size))
        return;
    path = fuzz_as_file(FUZZ_FIRST, bytes, size);
    compare_with_libpcap(path, false);
    compare_with_libpcap(path, true);
    fuzz_labcap((const char *const[]){"flows", "--json", path, NULL});
    switch (digest(bytes, size) % 6) {
    case 0:
        fuzz_labcap((const char *const[]){"flows", path, "tcp or vlan or udp", NULL});
        break;
    case 1:
        fuzz_labcap((const char *const[]){"check", path, "complete=true", "connections>=1",
                                          "handshake.complete=true", "to_server.bytes<=9",
                                          "2:state=SF", "to_client.datagrams=1", NULL});
        break;
    case 2:
        fuzz_labcap((const char *const[]){"show", "--payload", path, NULL});
        break;
    case 3:
        fuzz_labcap((const char *const[]){"show", "--merge", "--all", "--json", path, NULL});
        break;
    case 4:
        fuzz_labcap((const char *const[]){"show", "--merge", "--ascii", path, "not udp", NULL});
        break;
    default:
        annotate(bytes, size);
    }
}
