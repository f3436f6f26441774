/* ladder_draw.h - puts one row of a ladder on the screen; knows nothing of TCP.
 *
 *   time | state of the client | lane ---- arrow ---> lane | state of the server
 *
 * Three forms, by width: states beside the lanes; states in a line of their own between the
 * lanes; the same without time. A lane is heavy while a system call of its side goes on. */
#ifndef LABCAP_LADDER_DRAW_H
#define LABCAP_LADDER_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ladder_text.h"

/* What a row is about, which is what its colour tells. */
enum tone {
    TONE_PLAIN,
    TONE_OPEN,
    TONE_DATA,
    TONE_CLOSE,
    TONE_BAD,
    TONE_NOTE,
    TONE_QUIET,
    TONE_CALL
};

struct style {
    bool utf8, color;
    int width;        /* columns of the terminal */
    int number_width; /* of packet numbers */
    bool busy[2];     /* client, server: a call goes on */
};

enum {
    LADDER_WIDTH_MIN = 40,
    LADDER_DIGITS_MAX = 24, /* of a number, with its sign */
    LADDER_WIDTH_MAX = 120,
    LADDER_WORDINGS = 6,
    LADDER_PARTS = 5,
    LADDER_LABEL = LADDER_PARTS, /* what a wording may say before its parts */
    LADDER_LABEL_MAX = FLAGS_TEXT_MAX,
    LADDER_NOTE_MAX = 256
};

/* A few letters. They are always copied whole, length and all: what is behind them comes later. */
struct ladder_word {
    char text[15];
    uint8_t length;
};

#define LADDER_WORD(literal) {literal, sizeof(literal) - 1}

/* Returns the end. */
static inline char *write_word(char *to, const struct ladder_word *word)
{
    memcpy(to, word, sizeof *word);
    return to + word->length;
}

/* A piece of what an arrow says: a number between two words. Where its length is that of the words
 * alone, there is no number. */
struct ladder_part {
    const struct ladder_word *before, *behind;
    int64_t number;
};

/* The octet of a part, or of the label, among the lengths of all of them. */
#define LADDER_OCTET(part) ((uint64_t)0xff << 8 * (part))

enum {
    LADDER_PART_MAX = 2 * sizeof(struct ladder_word) + LADDER_DIGITS_MAX,
    LADDER_TEXT_ROOM = LADDER_LABEL_MAX + LADDER_PARTS * LADDER_PART_MAX
};

/* What an arrow may say, the fullest wording first; the first that fits is taken. */
struct ladder_wordings {
    uint64_t says[LADDER_WORDINGS]; /* the octets of its parts; those that the row has are said */
    uint64_t ample; /* one with any of these is taken only where there is room for the note, too */
    uint8_t count;
};

/* One row, in words. An empty text is left out. */
struct ladder_row {
    uint64_t number;
    struct span time; /* since the row before */
    bool to_server;
    enum tone tone;
    const char *label; /* what kind of packet: "1/3 SYN", "PSH+ACK"; LADDER_LABEL_MAX of memory */
    const struct ladder_wordings *wordings;
    struct ladder_part parts[LADDER_PARTS];
    uint64_t lengths;  /* of the parts and of the label, an octet each; 0: the row has it not */
    char own_label[LADDER_LABEL_MAX]; /* where no other memory has it */
    char note[LADDER_NOTE_MAX]; /* on the arrow where there is room, else beneath */
    const char *state[2];       /* client, server; "" where it is as before */
    bool lost;                  /* the arrow ends halfway */
};

/* A system call, or one end of it. */
struct ladder_call {
    bool at_client, ends;    /* `ends`: what began in a row before */
    bool goes_on;            /* it began here and ends in a row below, or never */
    enum tone tone;
    const char *process;     /* "" where there is one only */
    const char *texts[3];    /* fullest first */
    const char *result;      /* "= 6", "" for none */
    const char *after;       /* how long it took, "" where that says nothing */
    const uint8_t *data;     /* shown where there is room */
    size_t data_kept, data_len;
    const char *note;
    const char *state[2];
};

/* Writes one of the row's wordings. Returns the end. */
char *write_wording(char to[LADDER_TEXT_ROOM], const struct ladder_row *row, unsigned wording);

/* Columns between the lanes. */
int ladder_area(const struct style *style);

void ladder_heading(const struct style *style, const char *text, const char *details);
void ladder_ends(const struct style *style, const char *client, const char *server);
void ladder_states(const struct style *style, const char *client, const char *server);
void ladder_phase(const struct style *style, const char *name);
void ladder_arrow(const struct style *style, const struct ladder_row *row);
void ladder_call(const struct style *style, const struct ladder_call *call);

/* Many rows in one: what they were, and how long they took. */
void ladder_fold(const struct style *style, const struct span *time, const char *text);

/* A packet of no connection: its number, time, and a text that goes across the lanes. */
void ladder_across(const struct style *style, uint64_t number, const struct span *time,
                   const char *text);

/* A line between the lanes, at the sender's side; `columns` wide. */
void ladder_line(const struct style *style, bool at_client, enum tone tone, const char *text,
                 int columns);

/* A text of ours between the lanes, in as many lines as it needs. */
void ladder_remark(const struct style *style, bool at_client, enum tone tone, const char *text);

/* Running text, words with one space between them; broken at the width. */
void ladder_paragraph(const struct style *style, const char *text);

#endif
