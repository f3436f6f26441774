/* reader.c - see reader.h. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "octets.h"
#include "packet.h"
#include "pcapng.h"
#include "records.h"
#include "unpack.h"

enum { NS_PER_S = 1000000000 };

struct reader {
    const char *path;
    int fd; /* -1 none */
    struct unpacker unpacker;
    bool badly_packed;
    struct octets octets;
    struct records records;
    struct pcapng_drops drops;
    bool shrunk;  /* it ends before what was read of it */
    bool by_pcap; /* from here on libpcap reads */
    pcap_t *pcap;
    bool filtered;
    struct bpf_program program;
    uint64_t number; /* of the last packet read */
};

static enum reader_open_result fail(enum reader_open_result result, char *error, int size,
                                    const char *what, const char *why)
{
    snprintf(error, (size_t)size, "%s: %s", what, why);
    return result;
}

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

static bool is_pipe(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

static void take_interrupt(int number)
{
    (void)number;
}

/* Ctrl-C reaches a whole pipeline. Who writes may have more to say then, as `labcap record` has:
 * the first is survived. */
static void survive_interrupt(int fd)
{
    struct sigaction before, survive = {.sa_handler = take_interrupt};

    survive.sa_flags = SA_RESTART | (int)SA_RESETHAND;
    if (is_pipe(fd) && sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        sigaction(SIGINT, &survive, NULL);
}

/* Puts what an unpacking program gives in the place of what is packed. Returns why not, or NULL. */
static const char *unpack(struct reader *r, char *why, size_t size)
{
    const char *program = unpack_program(&r->octets);

    if (program == NULL)
        return NULL;
    if (!unpack_begin(&r->unpacker, program, &r->octets)) {
        snprintf(why, size, "packed, and %s does not start: %s", program, strerror(errno));
        return why;
    }
    octets_close(&r->octets);
    octets_open(&r->octets, r->unpacker.fd);
    return NULL;
}

/* Before the end of what is unpacked nothing is known. */
static bool is_badly_packed(struct reader *r)
{
    if (r->unpacker.program != NULL && !r->badly_packed && octets_look(&r->octets, 1) == NULL)
        r->badly_packed = !unpack_succeeded(&r->unpacker);
    return r->badly_packed;
}

static const char badly_packed[] = "the packed file is cut or damaged";

/* The stream belongs to pcap from then on, the octets behind it to the reader. */
static enum reader_open_result open_pcap(struct reader *r, const char *path, char *error,
                                         int size)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    FILE *file;

    r->path = path;
    r->fd = is_stdin(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0)
        return fail(READER_BAD_FILE, error, size, path, strerror(errno));
    if (is_stdin(path))
        survive_interrupt(r->fd);
    octets_open(&r->octets, r->fd);
    if (unpack(r, why, sizeof why) != NULL)
        return fail(READER_BAD_FILE, error, size, path, why);
    pcapng_drops_begin(&r->drops);
    file = need(octets_stream(&r->octets, pcapng_drops_pass, &r->drops));
    r->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (r->pcap == NULL) {
        fclose(file);
        return fail(READER_BAD_FILE, error, size, path,
                    is_badly_packed(r) ? badly_packed : why);
    }
    records_begin(&r->records, &r->octets, r->pcap, &r->drops);
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
    octets_close(&reader->octets);
    unpack_end(&reader->unpacker);
    if (reader->fd > STDIN_FILENO)
        close(reader->fd);
    free(reader);
}

/* Seconds come from the file and may be anything. */
static int64_t nanoseconds(const struct pcap_pkthdr *header)
{
    int64_t ns;

    if (__builtin_mul_overflow((int64_t)header->ts.tv_sec, (int64_t)NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, (int64_t)header->ts.tv_usec, &ns))
        return header->ts.tv_sec < 0 ? -TIME_NS_MAX : TIME_NS_MAX;
    return ns > TIME_NS_MAX ? TIME_NS_MAX : ns < -TIME_NS_MAX ? -TIME_NS_MAX : ns;
}

void reader_keep(struct reader *reader, reader_leave_fn *leaving, void *context)
{
    reader->octets.leaving = leaving;
    reader->octets.leaving_context = context;
}

static enum reader_result next_by_pcap(struct reader *reader, struct reader_frame *frame)
{
    struct pcap_pkthdr *header;
    int result;

    reader->by_pcap = true;
    if (reader->octets.leaving != NULL)
        reader->octets.leaving(reader->octets.leaving_context);
    result = pcap_next_ex(reader->pcap, &header, &frame->bytes);
    if (result != 1)
        return is_badly_packed(reader) || reader->shrunk || result != PCAP_ERROR_BREAK
                   ? READER_ERROR
                   : READER_END;
    frame->time_ns = nanoseconds(header);
    frame->captured = header->caplen;
    frame->wire_len = header->len;
    return READER_PACKET;
}

static bool passes(const struct reader *reader, const struct reader_frame *frame)
{
    struct pcap_pkthdr header = {.caplen = frame->captured, .len = frame->wire_len};

    return pcap_offline_filter(&reader->program, &header, frame->bytes) != 0;
}

static void complete(struct reader *reader, struct reader_frame *frame)
{
    frame->number = ++reader->number;
    frame->chosen = !reader->filtered || passes(reader, frame);
}

enum reader_result reader_next(struct reader *reader, struct reader_frame *frame)
{
    if (reader->by_pcap || !records_next(&reader->records, frame)) {
        enum reader_result result = next_by_pcap(reader, frame);

        if (result != READER_PACKET)
            return result;
    }
    complete(reader, frame);
    return READER_PACKET;
}

bool reader_map(struct reader *reader, size_t least)
{
    return !reader->by_pcap && reader->records.next != NULL && octets_map(&reader->octets, least);
}

struct reader_place reader_place(const struct reader *reader)
{
    return (struct reader_place){octets_place(&reader->octets), reader->number};
}

bool reader_next_mapped(struct reader *reader, struct reader_frame *frame)
{
    if (!records_next(&reader->records, frame))
        return false;
    complete(reader, frame);
    return true;
}

bool reader_sound(const struct reader *reader)
{
    return octets_sound(&reader->octets);
}

void reader_unmap(struct reader *reader, struct reader_place place)
{
    reader->shrunk = !octets_unmap(&reader->octets, place.octets);
    reader->number = place.number;
}

bool reader_is_stream(const struct reader *reader)
{
    return reader->unpacker.program == NULL && is_pipe(reader->fd);
}

bool reader_wait(const struct reader *reader, int milliseconds)
{
    struct pollfd fd = {.fd = reader->fd, .events = POLLIN};

    return octets_wait(&reader->octets) || poll(&fd, 1, milliseconds) != 0;
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
    if (reader->shrunk)
        return "the file has become shorter";
    return reader->badly_packed ? badly_packed : pcap_geterr(reader->pcap);
}

/* What libpcap did not get to. A pipe may have no end yet. */
static void pass_the_rest(struct reader *r)
{
    struct stat status;
    const uint8_t *bytes;

    if (fstat(r->fd, &status) != 0 || !S_ISREG(status.st_mode))
        return;
    while ((bytes = octets_look(&r->octets, 1)) != NULL) {
        size_t size = r->octets.end - r->octets.at;

        pcapng_drops_pass(&r->drops, bytes, size);
        octets_take(&r->octets, size);
    }
}

uint64_t reader_drops(struct reader *reader)
{
    pass_the_rest(reader);
    return pcapng_drops_sum(&reader->drops);
}
