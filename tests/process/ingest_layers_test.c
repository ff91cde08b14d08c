/* The real ingest worker and a publisher of simulcast: every layer reaches the ring, and BYE of the
 * top one lets the next take its place. */
#include "tests/process/ingest_rig.h"

#define LAYERS 2u
#define SMALL 0u
#define LARGE 1u

/* 1280x720 is the rig's; x264's 322x182 */
static const uint8_t small_sps[] = {0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x51, 0x9e,
                                    0x22, 0x6c, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00,
                                    0x40, 0x00, 0x00, 0x0f, 0x03, 0xc5, 0x0a, 0x92};

struct layers {
    struct publisher p;
    uint16_t sequences[LAYERS];
};

static uint32_t ssrc_of(unsigned layer)
{
    return VIDEO_SSRC + 0x100 * layer;
}

/* With MID and RID in each packet; both RTP clocks begin elsewhere. */
static void send_layer(struct layers *l, unsigned layer, const uint8_t *payload, size_t len,
                       uint32_t time, bool marker)
{
    uint8_t packet[1500];
    struct writer w;
    writer_init(&w, packet, sizeof(packet));
    writer_u8(&w, 0x90);
    writer_u8(&w, (uint8_t)(l->p.answer.video_type | (marker ? 0x80 : 0)));
    writer_u16(&w, l->sequences[layer]++);
    writer_u32(&w, time + layer * 123456789u);
    writer_u32(&w, ssrc_of(layer));
    writer_u16(&w, 0xbede);
    writer_u16(&w, 1);
    writer_u8(&w, RAWSDP_MID_ID << 4);
    writer_u8(&w, '1');
    writer_u8(&w, RAWSDP_RID_ID << 4);
    writer_u8(&w, (uint8_t)('0' + layer));
    writer_bytes(&w, payload, len);
    int sealed = rawsrtp_protect(l->p.srtp, packet, w.len);
    assert_true(sealed > 0);
    assert_int_equal(send(l->p.client, packet, (size_t)sealed, 0), sealed);
}

static void send_layer_key(struct layers *l, unsigned layer, uint32_t time)
{
    if (layer == LARGE)
        send_layer(l, layer, sps, sizeof(sps), time, false);
    else
        send_layer(l, layer, small_sps, sizeof(small_sps), time, false);
    send_layer(l, layer, pps, sizeof(pps), time, false);
    send_layer(l, layer, marked, sizeof(marked), time, true);
}

static void send_bye(struct layers *l, unsigned layer)
{
    uint8_t packet[200];
    struct writer w;
    writer_init(&w, packet, sizeof(packet));
    writer_u32(&w, 0x81cb0001); /* BYE of one source */
    writer_u32(&w, ssrc_of(layer));
    int sealed = rawsrtp_protect_rtcp(l->p.srtp, packet, w.len);
    assert_true(sealed > 0);
    assert_int_equal(send(l->p.client, packet, (size_t)sealed, 0), sealed);
}

static bool has_key_request(const struct publisher *p)
{
    return p->key_requests > 0; /* of VIDEO_SSRC: the small layer */
}

static void expect_frame(struct rig *rig, uint8_t layer, uint8_t flags, uint16_t width)
{
    struct frame frame;
    uint8_t payload[256];
    read_frame(rig, &frame, payload, sizeof(payload));
    assert_int_equal(frame.track, TRACK_VIDEO);
    assert_int_equal(frame.layer, layer);
    assert_int_equal(frame.flags & FRAME_KEY, flags);
    assert_int_equal(frame.width, width);
}

static void RTP_01_RTP_19_every_layer_reaches_the_ring(void **state)
{
    struct rig rig;
    struct layers l;
    (void)state;
    memset(&l, 0, sizeof(l));
    rig_ready(&rig, false);
    rig_bind(&rig);
    publisher_offer_layers(&l.p, &rig, false, LAYERS);
    publisher_connect(&l.p, &rig);
    publisher_secure(&l.p, &rig);
    send_layer_key(&l, LARGE, 90000);
    expect_frame(&rig, 0, FRAME_KEY, 1280);
    send_layer_key(&l, SMALL, 90000);
    expect_frame(&rig, SMALL + 1, FRAME_KEY, 322);
    for (uint32_t i = 1; i < 4; i++) {
        send_layer(&l, SMALL, slice, sizeof(slice), 90000 + i * 3000, true);
        expect_frame(&rig, SMALL + 1, 0, 0);
        send_layer(&l, LARGE, slice, sizeof(slice), 90000 + i * 3000, true);
        expect_frame(&rig, 0, 0, 0);
    }
    l.p.key_requests = 0;
    send_bye(&l, LARGE);
    assert_true(serve(&l.p, has_key_request, WAIT_MS)); /* of the layer that is left */
    send_layer_key(&l, SMALL, 190000);
    expect_frame(&rig, 0, FRAME_KEY, 322);
    publisher_stop(&l.p);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_01_RTP_19_every_layer_reaches_the_ring),
    };
    if (rawsrtp_setup() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
