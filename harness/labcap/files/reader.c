/* reader.c - see reader.h. */
#include "reader.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "memory.h"
#include "packet.h"
#include "pcapng.h"

enum { BUFFER_SIZE = 256 * 1024, NS_PER_S = 1000000000 };

struct reader {
    pcap_t *pcap;
    char *buffer; /* of its own file; stdin outlives the reader and has a static one */
    bool filtered;
    struct bpf_program program;
    uint64_t number; /* of the last packet read */
    uint64_t drops;
};

static char stdin_buffer[BUFFER_SIZE];

/* pcapng begins with a Section Header Block; its type reads the same in either byte order. */
static bool is_pcapng(FILE *file)
{
    uint8_t magic[4];
    bool result = fread(magic, sizeof magic, 1, file) == 1 && get_be32(magic) == 0x0a0d0d0a;

    rewind(file);
    return result;
}

static uint64_t find_drops(FILE *file, const char *path)
{
    struct stat status;
    uint64_t drops = 0;

    if (file == stdin || fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    if (!is_pcapng(file) || pcapng_read_drops(path, &drops) != 0)
        return 0;
    return drops;
}

static enum reader_open_result fail(enum reader_open_result result, char *error, int size,
                                    const char *what, const char *why)
{
    snprintf(error, (size_t)size, "%s: %s", what, why);
    return result;
}

/* Opens the file with a buffer that makes fewer and longer reads. The stream belongs to pcap
 * from then on, the buffer to the reader. */
static enum reader_open_result open_pcap(struct reader *r, const char *path, char *error,
                                         int size)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");

    if (file == NULL)
        return fail(READER_BAD_FILE, error, size, path, strerror(errno));
    r->drops = find_drops(file, path);
    r->buffer = file == stdin ? NULL : malloc(BUFFER_SIZE);
    if (file == stdin)
        setvbuf(stdin, stdin_buffer, _IOFBF, sizeof stdin_buffer);
    else if (r->buffer != NULL)
        setvbuf(file, r->buffer, _IOFBF, BUFFER_SIZE);
    r->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (r->pcap == NULL) {
        if (file != stdin)
            fclose(file);
        return fail(READER_BAD_FILE, error, size, path, why);
    }
    return READER_OPEN;
}

static enum reader_open_result check_link_type(struct reader *r, const char *path, char *error,
                                               int size)
{
    char why[128];
    const char *name = pcap_datalink_val_to_name(pcap_datalink(r->pcap));

    if (packet_link_supported(pcap_datalink(r->pcap)))
        return READER_OPEN;
    snprintf(why, sizeof why, "link type %d (%s) is not supported", pcap_datalink(r->pcap),
             name != NULL ? name : "unknown");
    return fail(READER_BAD_FILE, error, size, path, why);
}

static enum reader_open_result set_filter(struct reader *r, const char *filter, char *error,
                                          int size)
{
    if (filter == NULL || filter[0] == '\0')
        return READER_OPEN;
    if (pcap_compile(r->pcap, &r->program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        char what[256];

        snprintf(what, sizeof what, "filter '%.200s'", filter);
        return fail(READER_BAD_FILTER, error, size, what, pcap_geterr(r->pcap));
    }
    r->filtered = true;
    return READER_OPEN;
}

enum reader_open_result reader_open(struct reader **reader, const char *path, const char *filter,
                                    char *error, int size)
{
    struct reader *r = need(calloc(1, sizeof *r));
    enum reader_open_result result;

    *reader = NULL;
    result = open_pcap(r, path, error, size);
    if (result == READER_OPEN)
        result = check_link_type(r, path, error, size);
    if (result == READER_OPEN)
        result = set_filter(r, filter, error, size);
    if (result != READER_OPEN) {
        reader_close(r);
        return result;
    }
    *reader = r;
    return READER_OPEN;
}

void reader_close(struct reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->filtered)
        pcap_freecode(&reader->program);
    if (reader->pcap != NULL)
        pcap_close(reader->pcap);
    free(reader->buffer);
    free(reader);
}

/* Seconds come from the file and may be anything. */
static int64_t nanoseconds(const struct pcap_pkthdr *header)
{
    int64_t ns;

    if (__builtin_mul_overflow((int64_t)header->ts.tv_sec, (int64_t)NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, (int64_t)header->ts.tv_usec, &ns))
        return header->ts.tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

enum reader_result reader_next(struct reader *reader, struct reader_frame *frame)
{
    struct pcap_pkthdr *header;
    const u_char *bytes;
    int result = pcap_next_ex(reader->pcap, &header, &bytes);

    if (result != 1)
        return result == PCAP_ERROR_BREAK ? READER_END : READER_ERROR;
    frame->number = ++reader->number;
    frame->time_ns = nanoseconds(header);
    frame->captured = header->caplen;
    frame->wire_len = header->len;
    frame->bytes = bytes;
    frame->chosen =
        !reader->filtered || pcap_offline_filter(&reader->program, header, bytes) != 0;
    return READER_PACKET;
}

int reader_link_type(const struct reader *reader)
{
    return pcap_datalink(reader->pcap);
}

uint64_t reader_error_packet(const struct reader *reader)
{
    return reader->number + 1;
}

const char *reader_error(const struct reader *reader)
{
    return pcap_geterr(reader->pcap);
}

uint64_t reader_drops(const struct reader *reader)
{
    return reader->drops;
}
