/* trace_read.c - the packets of a file; see trace.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "messages.h"
#include "reader.h"
#include "trace.h"
#include "trace_internal.h"

enum { ERROR_SIZE = 512 };

/* Whoever takes packets may look at their octets, after they were seen to be sound. */
static bool looks_at_octets(const struct reading *r)
{
    return r->watching ||
           (!r->listener.no_octets && (r->listener.packet != NULL || r->listener.other != NULL));
}

/* Whoever looks on sees what is known, and connections that have ended when nothing comes of
 * them. */
static void look_on(struct reading *r, const struct reader *reader)
{
    if (reader_wait(reader, 0))
        return;
    trace_take_waiting(r);
    fflush(stdout);
    if (r->retiring.ended_count == 0 || reader_wait(reader, RETIRE_SILENCE_MS))
        return;
    trace_tell_ended(r, INT64_MAX);
    fflush(stdout);
}

/* Says what makes the trace untrustworthy; returns the exit status. */
static int complain(const struct trace *t, const struct reader *reader)
{
    if (!t->complete)
        message("labcap: %s: packet %" PRIu64 ": %s", t->file,
                reader_error_packet(reader), reader_error(reader));
    if (t->drops > 0)
        message("labcap: %s: %" PRIu64 " packets were lost when it was recorded",
                t->file, t->drops);
    if (t->cut > 0)
        message("labcap: %s: packet %" PRIu64 ": cut short (%" PRIu64 " in all)",
                t->file, t->first_cut, t->cut);
    if (t->first_fragment > 0)
        message("labcap: %s: packet %" PRIu64 ": TCP in IP fragments is left out (%" PRIu64
                " in all)", t->file, t->first_fragment, t->fragment);
    if (t->unmatched > 0)
        message("labcap: %s: packet %" PRIu64 ": arrived, but was never sent in this trace "
                "(%" PRIu64 " in all)", t->file, t->first_unmatched, t->unmatched);
    if (t->early > 0)
        message("labcap: %s: packet %" PRIu64 ": more than %" PRIu64 " connections and UDP "
                "flows at a time: %" PRIu64 " that were silent are told as they were, what came "
                "later of them as another one (--max-flows)",
                t->file, t->first_early, t->max_flows, t->early);
    if (t->left_out > 0)
        message("labcap: %s: more than %" PRIu64 " connections and UDP flows: later ones are left "
                "out, %" PRIu64 " packets in all (a filter, or --max-flows)",
                t->file, t->max_flows, t->left_out);
    if (t->late > 0)
        message("labcap: %s: packet %" PRIu64 ": came for a connection that had ended and was told "
                "before (%" PRIu64 " in all)", t->file, t->first_late, t->late);
    if (t->gave_up > 0)
        message("labcap: %s: packet %" PRIu64 ": %d holes or more at a time in one direction of a "
                "connection: what is counted of that may be wrong from here on (%" PRIu64
                " in all)", t->file, t->first_gave_up, INTERVAL_MAX, t->gave_up);
    return t->complete && t->drops == 0 && t->cut == 0 && t->first_fragment == 0 &&
                   t->unmatched == 0 && t->early == 0 && t->left_out == 0 && t->late == 0 &&
                   t->gave_up == 0
               ? EXIT_MET
               : EXIT_UNTRUSTED;
}

int trace_read(struct trace *trace, const char *path, const char *filter,
               const struct trace_listener *listener)
{
    struct reader *reader;
    struct reader_frame frame;
    struct reading *reading;
    enum reader_open_result opened;
    enum reader_result result;
    char error[ERROR_SIZE];
    bool may_map = true; /* once */
    int status;

    *trace = (struct trace){.file = path};
    opened = reader_open(&reader, path, filter, error, sizeof error);
    if (opened != READER_OPEN) {
        message("labcap: %s", error);
        return opened == READER_BAD_FILTER ? EXIT_USAGE : EXIT_UNTRUSTED;
    }
    reading = trace_begin(trace, path, reader_link_type(reader), listener);
    reading->streams = reading->listener.as_they_end && reader_is_stream(reader);
    reading->looks_ahead = true;
    reader_keep(reader, trace_take_waiting, reading);
    do {
        if (reading->streams)
            look_on(reading, reader);
        if (may_map && !looks_at_octets(reading)) {
            may_map = false;
            trace_take_mapped(reading, reader);
        }
        result = reader_next(reader, &frame);
        if (result == READER_PACKET)
            trace_take(reading, &frame);
    } while (result == READER_PACKET);
    trace->complete = result == READER_END;
    trace->drops = reader_drops(reader);
    trace_settle(reading);
    status = complain(trace, reader);
    trace_free_reading(reading);
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
    message("labcap: standard output: %s", errno != 0 ? strerror(errno) : "error");
    return EXIT_UNTRUSTED;
}
