/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_codec_plan(void);
int migc_unwritten_codec_plan(void) { return 0; }
