/* fields.c - see fields.h. */
#include "fields.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- Readers ---- */

static const struct tcp_connection *tcp_of(const struct subject *of)
{
    return &of->flow->tcp;
}

static const struct tcp_side *client_of(const struct subject *of)
{
    return &tcp_of(of)->side[tcp_of(of)->client];
}

static const struct tcp_side *server_of(const struct subject *of)
{
    return &tcp_of(of)->side[tcp_of(of)->client ^ 1];
}

static uint64_t count_at(const void *base, size_t offset)
{
    uint64_t count;

    memcpy(&count, (const char *)base + offset, sizeof count);
    return count;
}

static bool truth_at(const void *base, size_t offset)
{
    bool truth;

    memcpy(&truth, (const char *)base + offset, sizeof truth);
    return truth;
}

static void set_packet(struct value *v, uint64_t packet)
{
    v->count = packet;
    v->is_null = packet == 0;
}

static const char *role(const struct subject *of, unsigned side)
{
    return side == tcp_of(of)->client ? "client" : "server";
}

static void read_type(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->text = of->flow == NULL ? "capture" : of->flow->protocol == IP_TCP ? "tcp" : "udp";
}

static void read_id(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->count = of->flow->id;
}

/* offset: 0 the client, 1 the server */
static const struct endpoint *end_of(const struct field *f, const struct subject *of)
{
    return &of->flow->end[flow_client(of->flow) ^ f->offset];
}

static void read_address(const struct field *f, const struct subject *of, struct value *v)
{
    v->text = address_text(v->buffer, sizeof v->buffer, end_of(f, of), of->flow->ip_version);
}

static void read_port(const struct field *f, const struct subject *of, struct value *v)
{
    v->count = end_of(f, of)->port;
}

static void read_start(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->ns = of->flow->start_ns;
}

static void read_duration(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    if (__builtin_sub_overflow(of->flow->end_ns, of->flow->start_ns, &v->ns))
        v->ns = INT64_MAX;
}

static void read_tcp_truth(const struct field *f, const struct subject *of, struct value *v)
{
    v->truth = truth_at(tcp_of(of), f->offset);
}

static void read_isn(const struct field *f, const struct subject *of, struct value *v)
{
    const struct tcp_side *s = f->offset == 0 ? client_of(of) : server_of(of);

    v->count = s->isn;
    v->is_null = !s->syn_seen;
}

static void read_kind(const struct field *f, const struct subject *of, struct value *v)
{
    static const char *const names[] = {"open", "half-closed", "fin", "reset"};

    (void)f;
    v->text = names[tcp_teardown_kind(tcp_of(of))];
}

static void read_first_closer(const struct field *f, const struct subject *of, struct value *v)
{
    const struct tcp_connection *c = tcp_of(of);

    (void)f;
    v->is_null = !c->side[0].fin_seen && !c->side[1].fin_seen;
    v->text = tcp_simultaneous_close(c) ? "both" : role(of, c->first_fin);
}

static void read_segments(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    set_packet(v, tcp_teardown_segments(tcp_of(of)));
}

static void read_reset_by(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->is_null = tcp_of(of)->reset == 0;
    v->text = role(of, tcp_of(of)->reset_by);
}

static void read_state(const struct field *f, const struct subject *of, struct value *v)
{
    const struct tcp_side *c = client_of(of), *s = server_of(of);
    bool any = c->bytes + tcp_rare(c)->missing_bytes + s->bytes + tcp_rare(s)->missing_bytes > 0;

    (void)f;
    v->text = zeek_conn_state(&tcp_of(of)->zeek, any);
}

static void read_history(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->text = zeek_history(&tcp_of(of)->zeek);
}

static void read_udp_to_server(const struct field *f, const struct subject *of, struct value *v)
{
    v->sizes = &of->flow->udp[0];
    v->count = count_at(v->sizes, f->offset);
}

static void read_udp_to_client(const struct field *f, const struct subject *of, struct value *v)
{
    v->sizes = &of->flow->udp[1];
    v->count = count_at(v->sizes, f->offset);
}

/* NULL in a trace with one point. */
static const struct transit_side *transit_to_server(const struct flow *flow)
{
    return flow->transit != NULL ? &flow->transit->side[flow_client(flow)] : NULL;
}

static const struct transit_side *transit_to_client(const struct flow *flow)
{
    return flow->transit != NULL ? &flow->transit->side[flow_client(flow) ^ 1] : NULL;
}

static void read_longest_transit(const struct field *f, const struct subject *of,
                                 struct value *v)
{
    const struct transit_side *side =
        f->offset == 0 ? transit_to_server(of->flow) : transit_to_client(of->flow);

    v->is_null = side == NULL || side->arrived == 0;
    v->ns = v->is_null ? 0 : side->longest_ns;
}

static void read_unreachable(const struct field *f, const struct subject *of, struct value *v)
{
    const struct unreachable *u = &of->flow->unreachable;

    v->is_null = u->packet == 0;
    v->count = f->offset == 0 ? u->packet : f->offset == 1 ? u->type : u->code;
}

static void read_file(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->text = of->trace->file;
}

static void read_arrivals(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->is_null = !of->trace->two_points;
    v->count = of->trace->arrivals;
}

static void read_complete(const struct field *f, const struct subject *of, struct value *v)
{
    (void)f;
    v->truth = of->trace->complete;
}

static void read_flow_total(const struct field *f, const struct subject *of, struct value *v)
{
    v->count = flow_count_of(of->trace->flows, (uint8_t)f->offset);
}

/* ---- Tables, in the order of the JSON ---- */

#define AT(type, member) offsetof(struct type, member)
#define COUNT(n, b, o) {.name = n, .type = FIELD_COUNT, .base = b, .offset = o}
#define PACKET(n, b, o) \
    {.name = n, .type = FIELD_COUNT, .base = b, .offset = o, .nullable = true, .zero_is_null = true}
#define FIELD(n, t, r, o) {.name = n, .type = t, .read = r, .offset = o}
#define NULLABLE(n, t, r, o) {.name = n, .type = t, .read = r, .offset = o, .nullable = true}
#define CHOICE(n, r, null, c) \
    {.name = n, .type = FIELD_TEXT, .read = r, .nullable = null, .choices = c}

#define FLOW_HEAD \
    CHOICE("type", read_type, false, "tcp udp"), \
    FIELD("id", FIELD_COUNT, read_id, 0), \
    FIELD("client.address", FIELD_ADDRESS, read_address, 0), \
    FIELD("client.port", FIELD_COUNT, read_port, 0), \
    FIELD("server.address", FIELD_ADDRESS, read_address, 1), \
    FIELD("server.port", FIELD_COUNT, read_port, 1)

#define FLOW_TIMES \
    COUNT("first_packet", BASE_FLOW, AT(flow, first_packet)), \
    COUNT("last_packet", BASE_FLOW, AT(flow, last_packet)), \
    FIELD("start", FIELD_SECONDS, read_start, 0), \
    FIELD("duration", FIELD_SECONDS, read_duration, 0)

#define SIDE(to, base, member) COUNT(to "." #member, base, AT(tcp_side, member))
#define RARE(to, base, member) COUNT(to "." #member, base, AT(tcp_rare, member))

#define TRANSIT(to, b, member) \
    {.name = to "." #member, .type = FIELD_COUNT, .base = b, .offset = AT(transit_side, member), \
     .nullable = true}

#define TRANSIT_SIDE(to, base, which) \
    TRANSIT(to, base, arrived), \
    TRANSIT(to, base, lost), \
    TRANSIT(to, base, duplicated), \
    TRANSIT(to, base, reordered), \
    TRANSIT(to, base, corrupted), \
    NULLABLE(to ".longest_transit", FIELD_SECONDS, read_longest_transit, which)

#define TCP_SIDE(to, base) \
    SIDE(to, base, packets), \
    SIDE(to, base, segments), \
    SIDE(to, base, bytes), \
    RARE(to, base##_RARE, missing_bytes), \
    RARE(to, base##_RARE, retransmitted_segments), \
    RARE(to, base##_RARE, retransmitted_bytes), \
    RARE(to, base##_RARE, out_of_order_segments), \
    RARE(to, base##_RARE, duplicate_acks), \
    RARE(to, base##_RARE, zero_windows), \
    RARE(to, base##_RARE, keep_alives), \
    SIDE(to, base, largest_segment)

#define UDP_SIDE(to, read) \
    FIELD(to ".datagrams", FIELD_COUNT, read, AT(udp_side, datagrams)), \
    FIELD(to ".bytes", FIELD_COUNT, read, AT(udp_side, bytes)), \
    FIELD(to ".sizes", FIELD_SIZES, read, 0), \
    FIELD(to ".incomplete", FIELD_COUNT, read, AT(udp_side, incomplete))

static const struct field tcp_table[] = {
    FLOW_HEAD,
    FIELD("client_known", FIELD_TRUTH, read_tcp_truth, AT(tcp_connection, client_known)),
    FLOW_TIMES,
    FIELD("handshake.complete", FIELD_TRUTH, read_tcp_truth, AT(tcp_connection, complete)),
    PACKET("handshake.syn", BASE_TCP, AT(tcp_connection, syn)),
    PACKET("handshake.syn_ack", BASE_TCP, AT(tcp_connection, syn_ack)),
    PACKET("handshake.ack", BASE_TCP, AT(tcp_connection, ack)),
    NULLABLE("handshake.client_isn", FIELD_COUNT, read_isn, 0),
    NULLABLE("handshake.server_isn", FIELD_COUNT, read_isn, 1),
    RARE("handshake", BASE_CLIENT_RARE, syn_retransmissions),
    FIELD("handshake.refused", FIELD_TRUTH, read_tcp_truth, AT(tcp_connection, refused)),
    CHOICE("teardown.kind", read_kind, false, "fin reset half-closed open"),
    CHOICE("teardown.first_closer", read_first_closer, true, "client server both"),
    PACKET("teardown.client_fin", BASE_CLIENT, AT(tcp_side, fin_packet)),
    PACKET("teardown.client_fin_ack", BASE_CLIENT, AT(tcp_side, fin_ack_packet)),
    PACKET("teardown.server_fin", BASE_SERVER, AT(tcp_side, fin_packet)),
    PACKET("teardown.server_fin_ack", BASE_SERVER, AT(tcp_side, fin_ack_packet)),
    NULLABLE("teardown.segments", FIELD_COUNT, read_segments, 0),
    CHOICE("teardown.reset_by", read_reset_by, true, "client server"),
    PACKET("teardown.reset", BASE_TCP, AT(tcp_connection, reset)),
    TCP_SIDE("to_server", BASE_CLIENT),
    TRANSIT_SIDE("to_server", BASE_SENT, 0),
    TCP_SIDE("to_client", BASE_SERVER),
    TRANSIT_SIDE("to_client", BASE_ANSWERED, 1),
    FIELD("state", FIELD_TEXT, read_state, 0),
    FIELD("history", FIELD_TEXT, read_history, 0),
};

static const struct field udp_table[] = {
    FLOW_HEAD,
    FLOW_TIMES,
    UDP_SIDE("to_server", read_udp_to_server),
    TRANSIT_SIDE("to_server", BASE_SENT, 0),
    UDP_SIDE("to_client", read_udp_to_client),
    TRANSIT_SIDE("to_client", BASE_ANSWERED, 1),
    NULLABLE("unreachable", FIELD_OBJECT, read_unreachable, 0),
    NULLABLE("unreachable.packet", FIELD_COUNT, read_unreachable, 0),
    NULLABLE("unreachable.type", FIELD_COUNT, read_unreachable, 1),
    NULLABLE("unreachable.code", FIELD_COUNT, read_unreachable, 2),
};

#define TRACE_COUNT(n, member) COUNT(n, BASE_TRACE, AT(trace, member))
#define TOTAL(n, protocol) \
    {.name = n, .type = FIELD_COUNT, .read = read_flow_total, .offset = protocol, \
     .key_only = true}

static const struct field capture_table[] = {
    CHOICE("type", read_type, false, "capture"),
    {.name = "file", .type = FIELD_TEXT, .read = read_file, .any_octets = true},
    TRACE_COUNT("packets", packets),
    TRACE_COUNT("decoded", decoded),
    TRACE_COUNT("skipped.not_ip", not_ip),
    TRACE_COUNT("skipped.fragment", fragment),
    TRACE_COUNT("skipped.cut", cut),
    TRACE_COUNT("skipped.malformed", malformed),
    TRACE_COUNT("skipped.duplicates", duplicates),
    NULLABLE("arrivals", FIELD_COUNT, read_arrivals, 0),
    TRACE_COUNT("drops", drops),
    FIELD("complete", FIELD_TRUTH, read_complete, 0),
    TOTAL("connections", IP_TCP),
    TOTAL("udp_flows", IP_UDP),
};

const struct field_table tcp_fields = {tcp_table, COUNT_OF(tcp_table)};
const struct field_table udp_fields = {udp_table, COUNT_OF(udp_table)};
const struct field_table capture_fields = {capture_table, COUNT_OF(capture_table)};

const struct field_table *flow_fields(const struct flow *flow)
{
    return flow->protocol == IP_TCP ? &tcp_fields : &udp_fields;
}

void field_find_bases(const void *bases[FIELD_BASES], const struct subject *of)
{
    bool tcp = of->flow != NULL && of->flow->protocol == IP_TCP;

    bases[BASE_NONE] = NULL;
    bases[BASE_FLOW] = of->flow;
    bases[BASE_TCP] = tcp ? tcp_of(of) : NULL;
    bases[BASE_CLIENT] = tcp ? client_of(of) : NULL;
    bases[BASE_SERVER] = tcp ? server_of(of) : NULL;
    bases[BASE_CLIENT_RARE] = tcp ? client_of(of)->rare : NULL;
    bases[BASE_SERVER_RARE] = tcp ? server_of(of)->rare : NULL;
    bases[BASE_SENT] = of->flow != NULL ? transit_to_server(of->flow) : NULL;
    bases[BASE_ANSWERED] = of->flow != NULL ? transit_to_client(of->flow) : NULL;
    bases[BASE_TRACE] = of->trace;
}

void field_read(const struct field *field, const struct subject *of, struct value *value)
{
    const void *bases[FIELD_BASES], *base;

    value->is_null = false;
    value->text = NULL;
    if (field->base == BASE_NONE) {
        field->read(field, of, value);
        return;
    }
    field_find_bases(bases, of);
    base = bases[field->base];
    value->count = 0;
    value->is_null = base != NULL ? !field_count(field, base, &value->count) : field->nullable;
}

const struct field *field_find(const struct field_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->fields[i].name, name) == 0)
            return &table->fields[i];
    return NULL;
}

/* ---- The packet that decides ---- */

static uint64_t latest_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t teardown_packet(const struct tcp_connection *c)
{
    const struct tcp_side *a = &c->side[0], *b = &c->side[1];
    uint64_t fins = latest_of(a->fin_packet, b->fin_packet);

    if (c->reset != 0)
        return c->reset;
    return latest_of(fins, latest_of(a->fin_ack_packet, b->fin_ack_packet));
}

/* The first packet that was lost, duplicated ...; all that arrived have none. */
static uint64_t transit_packet(const struct field *field, const struct flow *flow)
{
    const struct transit_side *side =
        field->base == BASE_SENT ? transit_to_server(flow) : transit_to_client(flow);

    if (side == NULL || field->offset == AT(transit_side, arrived))
        return 0;
    return count_at(side, field->offset + AT(transit_count, first));
}

uint64_t field_deciding_packet(const struct field *field, const struct flow *flow)
{
    const struct tcp_connection *c = &flow->tcp;
    const char *name = field->name;

    if (field->base == BASE_SENT || field->base == BASE_ANSWERED)
        return transit_packet(field, flow);
    if (flow->protocol != IP_TCP)
        return 0;
    if (field->read == read_kind)
        return teardown_packet(c);
    if (field->read == read_first_closer)
        return c->side[c->first_fin].fin_packet;
    if (field->read == read_segments)
        return c->side[c->first_fin ^ 1].fin_packet;
    if (field->read == read_reset_by || strcmp(name, "handshake.refused") == 0)
        return c->reset;
    if (strcmp(name, "handshake.complete") == 0)
        return latest_of(c->ack, latest_of(c->syn, c->syn_ack));
    if (field->read == read_isn)
        return field->offset == 0 ? c->syn : c->syn_ack;
    return 0;
}
