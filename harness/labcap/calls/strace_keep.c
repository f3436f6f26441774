/* strace_keep.c - see strace_keep.h. */
#include "strace_keep.h"

#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "memory.h"
#include "strace_text.h"

/* Of one call: of a string, of all arguments. */
enum { STRING_KEPT = BOUND(1024, 32), ARGUMENTS_KEPT = BOUND(6 * 1024, 400) };

enum { BLOCK_SIZE = BOUND(1024, 1) * 1024 };

struct text_block {
    struct text_block *older;
    size_t used;
    char bytes[BLOCK_SIZE];
};

/* Room for a text of this length, which is below a block's size. */
static char *text_room(struct strace_log *log, size_t size)
{
    char *room;

    if (log->text == NULL || BLOCK_SIZE - log->text->used < size) {
        struct text_block *block = need(malloc(sizeof *block));

        block->older = log->text;
        block->used = 0;
        log->text = block;
        log->text_size += BLOCK_SIZE;
    }
    room = log->text->bytes + log->text->used;
    log->text->used += size;
    return room;
}

const char *log_keep_arguments(struct strace_log *log, struct span s)
{
    char text[ARGUMENTS_KEPT + STRING_KEPT + 8], *kept;
    size_t used = 0;

    while (s.length > 0 && used < ARGUMENTS_KEPT) {
        size_t length = *s.at == '"' ? span_item(s) : 1, copied = length;

        if (length > STRING_KEPT) {
            copied = STRING_KEPT;
            while (s.at[copied - 1] == '\\')
                copied--;
        }
        memcpy(text + used, s.at, copied);
        used += copied;
        if (copied < length) {
            memcpy(text + used, "\"...", 4);
            used += 4;
        }
        span_skip(&s, length);
    }
    kept = text_room(log, used + 1);
    memcpy(kept, text, used);
    kept[used] = '\0';
    return kept;
}

const char *log_keep_text(struct strace_log *log, struct span s, size_t most)
{
    size_t length = s.length < most ? s.length : most;
    char *kept = text_room(log, length + 1);

    memcpy(kept, s.at, length);
    kept[length] = '\0';
    return kept;
}

void log_free_texts(struct strace_log *log)
{
    while (log->text != NULL) {
        struct text_block *older = log->text->older;

        free(log->text);
        log->text = older;
    }
}
