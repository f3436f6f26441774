/* trace.c - see trace.h. */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "reader.h"

enum { ERROR_SIZE = 512 };

static void count(struct trace *t, enum decode_result result, uint64_t number)
{
    switch (result) {
    case DECODE_OK:
        t->decoded++;
        break;
    case DECODE_NOT_IP:
        t->not_ip++;
        break;
    case DECODE_FRAGMENT:
        if (t->fragment++ == 0)
            t->first_fragment = number;
        break;
    case DECODE_CUT:
        if (t->cut++ == 0)
            t->first_cut = number;
        break;
    case DECODE_MALFORMED:
    case DECODE_RESULTS:
        t->malformed++;
        break;
    }
}

static void take_frame(struct trace *t, const struct reader *reader,
                       const struct reader_frame *frame, trace_packet_fn *each, void *context)
{
    struct packet packet;
    struct flow_note note;
    enum decode_result result = packet_decode(&packet, reader_link_type(reader), frame->bytes,
                                              frame->captured, frame->wire_len);

    t->packets++;
    packet.number = frame->number;
    packet.time_ns = frame->time_ns;
    if (result != DECODE_OK && !packet.cut) {
        count(t, result, frame->number);
        return;
    }
    flow_table_add(t->flows, &packet, &note);
    if (flow_table_duplicates(t->flows) > t->duplicates)
        t->duplicates++;
    else
        count(t, result, frame->number);
    if (each != NULL && note.flow != NULL)
        each(context, &packet, &note);
}

/* Says what makes the trace untrustworthy; returns the exit status. */
static int complain(const struct trace *t, const struct reader *reader)
{
    if (!t->complete)
        fprintf(stderr, "labcap: %s: packet %" PRIu64 ": %s\n", t->file,
                reader_error_packet(reader), reader_error(reader));
    if (t->drops > 0)
        fprintf(stderr, "labcap: %s: %" PRIu64 " packets were lost when it was recorded\n",
                t->file, t->drops);
    if (t->cut > 0)
        fprintf(stderr, "labcap: %s: packet %" PRIu64 ": cut short (%" PRIu64 " in all)\n",
                t->file, t->first_cut, t->cut);
    if (t->first_fragment > 0)
        fprintf(stderr, "labcap: %s: packet %" PRIu64 ": TCP in IP fragments is left out (%" PRIu64
                " in all)\n", t->file, t->first_fragment, t->fragment);
    return t->complete && t->drops == 0 && t->cut == 0 && t->first_fragment == 0
               ? EXIT_MET
               : EXIT_UNTRUSTED;
}

/* Fragments whose first one never came belong to no flow: they are counted as left out. */
static void count_orphans(struct trace *t)
{
    uint64_t orphans = flow_table_orphans(t->flows);

    t->decoded -= orphans < t->decoded ? orphans : t->decoded;
    t->fragment += orphans;
}

int trace_read(struct trace *trace, const char *path, const char *filter,
               trace_packet_fn *each, void *context)
{
    struct reader *reader;
    struct reader_frame frame;
    enum reader_result result;
    enum reader_open_result opened;
    char error[ERROR_SIZE];
    int status;

    memset(trace, 0, sizeof *trace);
    trace->file = path;
    opened = reader_open(&reader, path, filter, error, sizeof error);
    if (opened != READER_OPEN) {
        fprintf(stderr, "labcap: %s\n", error);
        return opened == READER_BAD_FILTER ? EXIT_USAGE : EXIT_UNTRUSTED;
    }
    trace->flows = flow_table_new();
    while ((result = reader_next(reader, &frame)) == READER_PACKET)
        take_frame(trace, reader, &frame, each, context);
    flow_table_finish(trace->flows);
    trace->complete = result == READER_END;
    trace->drops = reader_drops(reader);
    status = complain(trace, reader);
    count_orphans(trace);
    reader_close(reader);
    return status;
}

void trace_free(struct trace *trace)
{
    flow_table_free(trace->flows);
    trace->flows = NULL;
}

int finish_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "labcap: standard output: %s\n", errno != 0 ? strerror(errno) : "error");
    return EXIT_UNTRUSTED;
}

char *join_words(char *const *words, int count_of)
{
    size_t size = 1;
    char *text, *end;

    if (count_of <= 0)
        return NULL;
    for (int i = 0; i < count_of; i++)
        size += strlen(words[i]) + 1;
    text = end = need(malloc(size));
    for (int i = 0; i < count_of; i++)
        end += sprintf(end, "%s%s", i > 0 ? " " : "", words[i]);
    return text;
}
