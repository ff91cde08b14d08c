/* The deadlines of connections, and the reaper that enforces them. */
#include "web/conns.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define NOT_ASKED UINT64_MAX

/* Bytes of our answers that the client's system has acknowledged; 0 when unknown. */
static uint64_t acked_bytes(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0;
    return info.tcpi_bytes_acked;
}

void conn_enter(struct conn *conn, enum conn_phase phase, uint64_t now_us)
{
    static const uint32_t limit_us[] = {
        [CONN_FIRST] = CONNS_FIRST_US, [CONN_HEADER] = CONNS_HEADER_US, [CONN_BODY] = CONNS_BODY_US,
        [CONN_WRITE] = CONNS_WRITE_US, [CONN_IDLE] = CONNS_IDLE_US,
    };
    if (conn->phase == CONN_SHUT)
        return;
    conn->phase = phase;
    conn->acked = NOT_ASKED;
    conn->deadline_us =
        phase == CONN_WAIT || phase == CONN_SHUT ? UINT64_MAX : now_us + limit_us[phase];
}

void conns_add(struct conns *conns, struct conn *conn, uint64_t now_us)
{
    conn->prev = NULL;
    conn->next = conns->first;
    if (conns->first)
        conns->first->prev = conn;
    conns->first = conn;
    conns->count++;
    conn_enter(conn, CONN_FIRST, now_us);
    if (conns->tls)
        conn->deadline_us += CONNS_TLS_US;
}

void conns_remove(struct conns *conns, struct conn *conn)
{
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        conns->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    conns->count--;
}

/* A client that has taken enough since the last stamp gets another span of time. The first stamp is
 * made here too: an answer that is out before the next sweep costs nothing. */
static bool is_late(struct conn *conn, uint64_t now_us)
{
    bool due = conn->deadline_us <= now_us;
    if (conn->phase != CONN_WRITE || (!due && conn->acked != NOT_ASKED))
        return due;
    uint64_t acked = acked_bytes(conn->fd);
    if (due && (conn->acked == NOT_ASKED || acked < conn->acked + CONNS_PROGRESS_MIN))
        return true;
    if (due)
        conn->deadline_us = now_us + CONNS_WRITE_US;
    conn->acked = acked;
    return false;
}

void conns_shut(struct conns *conns, struct conn *conn, uint64_t now_us)
{
    (void)shutdown(conn->fd, SHUT_RDWR);
    conn_enter(conn, CONN_SHUT, now_us);
    conns->reaped++;
}

void conns_sweep(struct conns *conns, uint64_t now_us)
{
    for (struct conn *conn = conns->first; conn; conn = conn->next) {
        if (is_late(conn, now_us))
            conns_shut(conns, conn, now_us);
    }
}
