/* tftp - see tftp.h. */
#include "tftp.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net.h"

/* -- Two bytes and four --------------------------------------------------- */

static uint16_t get_be16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_be16(unsigned char *p, unsigned value)
{
    p[0] = (unsigned char)(value >> 8);
    p[1] = (unsigned char)value;
}

unsigned opcode_of(const struct packet *packet)
{
    return packet->len < HEADER ? 0 : get_be16(packet->bytes);
}

uint16_t block_of(const struct packet *packet)
{
    return get_be16(packet->bytes + 2);
}

void put_header(unsigned char *bytes, enum opcode opcode, uint16_t number)
{
    put_be16(bytes, opcode);
    put_be16(bytes + 2, number);
}

void make_ack(struct packet *packet, uint16_t block)
{
    put_header(packet->bytes, ACK, block);
    packet->len = HEADER;
}

/* -- Strings -------------------------------------------------------------- */

/* Takes the string that begins at *OFFSET, and moves behind it. Returns NULL
 * where none ends within the packet. */
static const char *take_string(const struct packet *packet, size_t *offset)
{
    const unsigned char *string = packet->bytes + *offset;
    const unsigned char *end = NULL;

    /* STEP 23: look for the NUL, but not beyond the packet's end. What is
     * there is left from an earlier packet, or is not ours at all. */
    if (*offset < packet->len)
        end = memchr(string, '\0', packet->len - *offset);
    if (end == NULL)
        return NULL;
    *offset += (size_t)(end - string) + 1;
    /* END STEP 23; stub:
    (void)end;
    (void)string;
    (void)offset;
    return NULL; */

    return (const char *)string;
}

/* Appends the string and its NUL. Returns false where there is no room. */
static bool put_string(struct packet *packet, const char *string)
{
    size_t size = strlen(string) + 1;

    if (packet->len > MAX_REQUEST || size > MAX_REQUEST - packet->len)
        return false;
    memcpy(packet->bytes + packet->len, string, size);
    packet->len += size;
    return true;
}

/* -- Options -------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned long least, most;
} known[OPTIONS] = {
    [BLKSIZE] = { "blksize", MIN_BLOCK, LONG_MAX },     /* we take less */
    [TSIZE] = { "tsize", 0, LONG_MAX },
    [TIMEOUT] = { "timeout", 1, 255 },
    [WINDOWSIZE] = { "windowsize", 1, 65535 },
};

/* Takes the pairs of strings from OFFSET to the packet's end. Returns false
 * where that is not what there is. */
static bool read_options(const struct packet *packet, size_t offset,
                         struct options *options)
{
    memset(options, 0, sizeof *options);

    /* STEP 29: take each option and its value. Upper and lower case are the
     * same. What we do not know, or cannot do, we pass over: it will not be
     * in the answer, so the other side knows. */
    while (offset < packet->len) {
        const char *name = take_string(packet, &offset);
        const char *text = take_string(packet, &offset);
        if (name == NULL || text == NULL)
            return false;
        for (int i = 0; i < OPTIONS; i++) {
            if (strcasecmp(name, known[i].name) != 0)
                continue;
            options->value[i] = strtoul(text, NULL, 10);
            options->has[i] = is_number(text, known[i].most)
                && options->value[i] >= known[i].least;
            options->any_wrong |= !options->has[i];
        }
    }
    /* END STEP 29; silent; stub:
    (void)packet;
    (void)offset;
    (void)known; */

    return true;
}

static bool put_options(struct packet *packet, const struct options *options)
{
    char value[24];

    for (int i = 0; i < OPTIONS; i++) {
        snprintf(value, sizeof value, "%lu", options->value[i]);
        if (options->has[i] && !(put_string(packet, known[i].name)
                                 && put_string(packet, value)))
            return false;
    }
    return true;
}

/* -- Requests and OACK ---------------------------------------------------- */

bool make_request(struct packet *packet, const struct request *request)
{
    put_be16(packet->bytes, request->opcode);
    packet->len = 2;
    return put_string(packet, request->name)
        && put_string(packet, request->mode)
        && put_options(packet, &request->options);
}

bool make_oack(struct packet *packet, const struct options *options)
{
    put_be16(packet->bytes, OACK);
    packet->len = 2;
    return put_options(packet, options);
}

bool read_request(const struct packet *packet, struct request *request)
{
    size_t offset = 2;

    request->opcode = opcode_of(packet);
    if ((request->opcode != RRQ && request->opcode != WRQ)
        || packet->len > MAX_REQUEST)
        return false;
    request->name = take_string(packet, &offset);
    request->mode = take_string(packet, &offset);
    return request->name != NULL && request->mode != NULL
        && read_options(packet, offset, &request->options);
}

bool read_oack(const struct packet *packet, struct options *options)
{
    return opcode_of(packet) == OACK && read_options(packet, 2, options)
        && !options->any_wrong;
}

/* -- Errors --------------------------------------------------------------- */

void make_error(struct packet *packet, enum error_code code,
                const char *message)
{
    put_header(packet->bytes, ERROR, code);
    packet->len = HEADER + 1;
    packet->len += (size_t)sprintf((char *)packet->bytes + HEADER, "%.100s",
                                   message);
}

void read_error(const struct packet *packet, char *message, size_t size)
{
    snprintf(message, size, "%.*s", (int)(packet->len - HEADER),
             (const char *)packet->bytes + HEADER);
    make_printable(message);
    if (message[0] == '\0')
        snprintf(message, size, "error %u", block_of(packet));
}
