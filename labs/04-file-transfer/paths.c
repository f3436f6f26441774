/* paths - see paths.h. */
#include "paths.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "session.h"

bool path_of(const struct session *session, const char *name,
             char path[PATH_MAX])
{
    size_t len = 0;

    /* STEP 8: begin at the top or at the session's folder, then take name by
     * name: `..` removes the last one, if there is one. All that is but text;
     * whether there is such a folder, the walk down to it will show. */
    if (name[0] != '/')
        len = strlen(strcpy(path, session->folder));
    for (size_t part; name[0] != '\0'; name += part + (name[part] == '/')) {
        part = strcspn(name, "/");
        if (part == 2 && strncmp(name, "..", 2) == 0) {
            while (len > 0 && path[--len] != '/')
                ;
        } else if (part > 1 || (part == 1 && name[0] != '.')) {
            if (len + 1 + part >= PATH_MAX) {
                errno = ENAMETOOLONG;
                return false;
            }
            path[len] = '/';
            memcpy(path + len + 1, name, part);
            len += 1 + part;
        }
    }
    path[len] = '\0';
    /* END STEP 8; stub:
    (void)len;
    (void)session;
    strcpy(path, name); */

    return true;
}

void do_cwd(struct session *session, char *name)
{
    char path[PATH_MAX];
    int fd = path_of(session, name, path)
        ? open_folder_in(session->served->folder, path) : -1;

    if (fd < 0) {
        reply(session, 550, "%s: %s", name, strerror(errno));
        return;
    }
    close(fd);
    strcpy(session->folder, path);
    reply(session, 250, "You are there.");
}

void do_cdup(struct session *session, char *argument)
{
    (void)argument;
    do_cwd(session, "..");
}

void do_pwd(struct session *session, char *argument)
{
    char quoted[2 * PATH_MAX], *to = quoted;

    (void)argument;
    for (const char *from = session->folder; *from != '\0'; from++) {
        if (*from == '"')
            *to++ = '"';                /* twice within quotes */
        *to++ = *from;
    }
    *to = '\0';
    reply(session, 257, "\"%s\"", quoted[0] == '\0' ? "/" : quoted);
}
