/* Offers with mutations: always an answer that keeps the rules, or a 4xx with a reason (threats.md
 * W3). SLUICE_MUTATIONS sets how many (default 20,000), SLUICE_SEED the seed; the mark is
 * 1,000,000 in a sanitizer build. */
#include "lib/base/writer.h"
#include "tests/unit/rtc/answerbench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define MUTATIONS 20000u
#define OFFERS 12u
#define OFFER_MAX 16384u
#define CPU_US 10000u /* for one offer, W3 */

static const char *const names[OFFERS] = {
    "chromium_av.sdp",
    "chromium_simulcast.sdp",
    "chromium_av1.sdp",
    "firefox_av.sdp",
    "chromium_nostream_data.sdp",
    "obs_simulcast.sdp",
    "gstreamer.sdp",
    "gstreamer_many.sdp",
    "ffmpeg_active.sdp",
    "safari.sdp",
    "larix.sdp",
    "ffmpeg_passive.sdp",
};

struct mill {
    struct bench b;
    struct sdp again;
    uint64_t random;
    struct fixture offers[OFFERS];
    size_t len;
    char text[OFFER_MAX];
    char scratch[OFFER_MAX];
    unsigned accepted;
    unsigned refused[3]; /* malformed, not acceptable, too large */
    uint64_t slowest_us;
};

static uint32_t draw(struct mill *m, uint32_t below)
{
    m->random ^= m->random << 13; /* xorshift64 */
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 32) % below;
}

/* Replaces cut bytes at `at` by len others. */
static void splice(struct mill *m, size_t at, size_t cut, const char *with, size_t len)
{
    struct writer w;
    writer_init(&w, m->scratch, sizeof(m->scratch));
    writer_bytes(&w, m->text, at);
    writer_bytes(&w, with, len);
    writer_bytes(&w, m->text + at + cut, m->len - at - cut);
    if (!writer_ok(&w))
        return;
    memcpy(m->text, m->scratch, w.len);
    m->len = w.len;
}

/* A random line of a text, its end included. */
static struct slice pick_line(struct mill *m, const char *text, size_t len)
{
    size_t start = draw(m, (uint32_t)len);
    while (start > 0 && text[start - 1] != '\n')
        start--;
    size_t end = start;
    while (end < len && text[end] != '\n')
        end++;
    end += end < len;
    return slice_make(text + start, end - start);
}

/* Replaces a run of digits by another number. */
static void change_number(struct mill *m)
{
    static const char *const numbers[] = {
        "0",   "1",     "127",        "128",        "255",
        "256", "65536", "4294967295", "4294967296", "18446744073709551616",
        "-1"};
    size_t at = draw(m, (uint32_t)m->len);
    while (at < m->len && (m->text[at] < '0' || m->text[at] > '9'))
        at++;
    size_t end = at;
    while (end < m->len && m->text[end] >= '0' && m->text[end] <= '9')
        end++;
    const char *number = numbers[draw(m, sizeof(numbers) / sizeof(numbers[0]))];
    splice(m, at, end - at, number, strlen(number));
}

static void insert_token(struct mill *m)
{
    static const char *const tokens[] = {"\r\n",
                                         "\n",
                                         ";",
                                         ",",
                                         ":",
                                         "/",
                                         "=",
                                         " ",
                                         "*",
                                         "~",
                                         "\0",
                                         "\xff",
                                         "a=",
                                         "m=video 9 ",
                                         "a=rid:x send pt=1,2\r\n",
                                         "a=simulcast:send ~x,y;z recv q\r\n",
                                         "a=fmtp:96 apt=96\r\n",
                                         "a=setup:passive\r\n",
                                         "a=mid:0\r\n",
                                         "a=rtcp-fb:* transport-cc\r\n",
                                         "a=inactive\r\n",
                                         "a=group:BUNDLE 0 1 2 3\r\n",
                                         "a=bundle-only\r\n",
                                         "profile-level-id=f4001f;"};
    const char *token = tokens[draw(m, sizeof(tokens) / sizeof(tokens[0]))];
    size_t len = token[0] == '\0' ? 1 : strlen(token);
    splice(m, draw(m, (uint32_t)m->len), 0, token, len);
}

static void mutate(struct mill *m)
{
    struct slice line = pick_line(m, m->text, m->len);
    size_t at = (size_t)(line.data - m->text);
    char copy[OFFER_MAX];
    struct slice other;
    switch (draw(m, 8)) {
    case 0:
        m->text[draw(m, (uint32_t)m->len)] ^= (char)(1u << draw(m, 8));
        break;
    case 1:
        splice(m, at, line.len, NULL, 0);
        break;
    case 2: /* the line again, somewhere else */
        memcpy(copy, line.data, line.len);
        other = pick_line(m, m->text, m->len);
        splice(m, (size_t)(other.data - m->text), 0, copy, line.len);
        break;
    case 3: /* a line of another publisher */
    {
        const struct fixture *f = &m->offers[draw(m, OFFERS)];
        other = pick_line(m, f->text, f->len);
        splice(m, at, draw(m, 2) ? line.len : 0, other.data, other.len);
        break;
    }
    case 4:
        change_number(m);
        break;
    case 5:
        insert_token(m);
        break;
    case 6: /* part of a line */
        splice(m, at + draw(m, (uint32_t)line.len + 1) / 2, line.len / 2, NULL, 0);
        break;
    default:
        if (draw(m, 20) == 0)
            m->len = draw(m, (uint32_t)m->len) + 1;
        break;
    }
}

static void set_switches(struct mill *m)
{
    uint32_t bits = draw(m, 64);
    m->b.local.codecs = bits & 1 ? ANSWER_CODECS_ALL : 0;
    m->b.local.transport_cc = bits & 2;
    m->b.local.simulcast = bits & 4;
    m->b.local.dtls_client = bits & 8;
    m->b.local.max_bitrate_kbps = bits & 16 ? 6000 : 0;
    m->b.local.start_bitrate_kbps = bits & 32 ? 2500 : 0;
}

/* Our own parser must read it, and find what the rules ask for. */
static void check_answer(struct mill *m)
{
    const char *reason = "";
    const struct answer *a = &m->b.answer;
    struct slice rest = slice_make(a->text, a->text_len);
    assert_true(a->text_len <= STREAM_ANSWER_MAX);
    if (sdp_parse(rest, &m->again, &reason) < 0)
        fail_msg("%s\n%.*s", reason, (int)a->text_len, a->text);
    assert_int_equal(m->again.section_count, m->b.sdp.section_count);
    for (size_t i = 0; i < m->again.section_count; i++) {
        const struct sdp_section *s = &m->again.sections[i];
        assert_true(slice_equal(s->mid, m->b.sdp.sections[i].mid));
        assert_true(s->port == 0 || (s->port == 9 && s->direction == SDP_RECVONLY && s->rtcp_mux));
        assert_true(s->port == 0 || (s->format_count >= 1 && s->format_count <= 2));
    }
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        assert_true(line.len >= 3 && line.data[1] == '=' && line.data[line.len - 1] == '\r');
    }
}

static uint64_t cpu_us(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void run_one(struct mill *m)
{
    const struct fixture *f = &m->offers[draw(m, OFFERS)];
    uint32_t times = 1 + draw(m, 6);
    memcpy(m->text, f->text, f->len);
    m->len = f->len;
    for (uint32_t i = 0; i < times && m->len > 1; i++)
        mutate(m);
    set_switches(m);
    /* Exactly as long as the offer, so that sanitizers see an overrun. */
    char *exact = malloc(m->len > 0 ? m->len : 1);
    assert_non_null(exact);
    memcpy(exact, m->text, m->len);
    uint64_t start_us = cpu_us();
    int err = answer_slice(&m->b, slice_make(exact, m->len));
    uint64_t used_us = cpu_us() - start_us;
    if (used_us > m->slowest_us)
        m->slowest_us = used_us;
    if (err == 0) {
        m->accepted++;
        check_answer(m);
    } else {
        assert_true(err == -EBADMSG || err == -ENOTSUP || err == -EMSGSIZE);
        assert_true(m->b.reason && strlen(m->b.reason) < STREAM_REASON_MAX);
        m->refused[err == -EBADMSG ? 0 : err == -ENOTSUP ? 1 : 2]++;
    }
    free(exact);
}

static void W3_mutated_offers(void **state)
{
    struct bench *b = *state;
    struct mill *m = calloc(1, sizeof(*m));
    uint32_t count = MUTATIONS;
    uint32_t seed = 1;
    const char *wanted = getenv("SLUICE_MUTATIONS");
    const char *start = getenv("SLUICE_SEED");
    assert_non_null(m);
    if (wanted)
        assert_int_equal(text_parse_u32(slice_of(wanted), UINT32_MAX, &count), 0);
    if (start)
        assert_int_equal(text_parse_u32(slice_of(start), UINT32_MAX, &seed), 0);
    m->b.local = b->local;
    m->random = UINT64_C(0x9e3779b97f4a7c15) ^ seed;
    for (size_t i = 0; i < OFFERS; i++) {
        assert_true(fixture_read(&m->offers[i], names[i]).len > 0);
        assert_true(m->offers[i].len < OFFER_MAX);
    }
    for (uint32_t i = 0; i < count; i++)
        run_one(m);
    print_message("%u offers: %u answered, %u malformed, %u not acceptable, %u too large\n", count,
                  m->accepted, m->refused[0], m->refused[1], m->refused[2]);
    print_message("the slowest took %u us of CPU\n", (unsigned)m->slowest_us);
    assert_true(m->slowest_us <= CPU_US);
    print_message("mutations: offers %u inputs %u accepted\n", count, m->accepted);
    assert_true(m->accepted > count / 10 && m->refused[0] > count / 50 &&
                m->refused[1] > count / 50);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(W3_mutated_offers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
