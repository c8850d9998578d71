// The emoji short codes that messages of the bot and of people commonly use. An unknown code is
// shown as it was written, as Slack does.

const TABLE = `
white_check_mark ✅|heavy_check_mark ✔️|ballot_box_with_check ☑️|x ❌|negative_squared_cross_mark ❎|no_entry ⛔|no_entry_sign 🚫
warning ⚠️|rotating_light 🚨|bell 🔔|no_bell 🔕|mega 📣|loudspeaker 📢|lock 🔒|unlock 🔓|closed_lock_with_key 🔐|lock_with_ink_pen 🔏
key 🔑|old_key 🗝️|shield 🛡️|hourglass ⌛|hourglass_flowing_sand ⏳|stopwatch ⏱️|alarm_clock ⏰|clock1 🕐|clock3 🕒|clock9 🕘|calendar 📆|date 📅|spiral_calendar_pad 🗓️
red_circle 🔴|large_orange_circle 🟠|large_yellow_circle 🟡|large_green_circle 🟢|large_blue_circle 🔵|large_purple_circle 🟣|white_circle ⚪|black_circle ⚫
large_red_square 🟥|large_yellow_square 🟨|large_green_square 🟩|large_blue_square 🟦|white_large_square ⬜|black_large_square ⬛|small_red_triangle 🔺|large_blue_diamond 🔷
information_source ℹ️|question ❓|exclamation ❗|bangbang ‼️|bulb 💡|mag 🔍|eyes 👀|eye 👁️|memo 📝|pencil ✏️|pencil2 ✏️|clipboard 📋|page_facing_up 📄|scroll 📜|books 📚|bookmark 🔖|label 🏷️
gear ⚙️|wrench 🔧|hammer 🔨|hammer_and_wrench 🛠️|tools 🛠️|broom 🧹|wastebasket 🗑️|link 🔗|paperclip 📎|package 📦|inbox_tray 📥|outbox_tray 📤|email 📧|envelope ✉️|speech_balloon 💬
iphone 📱|computer 💻|desktop_computer 🖥️|cloud ☁️|robot_face 🤖|ghost 👻|fire 🔥|boom 💥|zap ⚡|sparkles ✨|star ⭐|tada 🎉|rocket 🚀|dart 🎯|trophy 🏆
arrow_right ➡️|arrow_left ⬅️|arrow_up ⬆️|arrow_down ⬇️|arrows_counterclockwise 🔄|repeat 🔁|leftwards_arrow_with_hook ↩️|arrow_upper_right ↗️|arrow_lower_right ↘️|chart_with_upwards_trend 📈|chart_with_downwards_trend 📉|bar_chart 📊
double_vertical_bar ⏸️|pause_button ⏸️|arrow_forward ▶️|black_square_for_stop ⏹️|fast_forward ⏩|heavy_plus_sign ➕|heavy_minus_sign ➖|new 🆕|ok 🆗|sos 🆘|end 🔚|soon 🔜
one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|keycap_ten 🔟
wave 👋|+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|clap 👏|pray 🙏|raised_hands 🙌|point_right 👉|muscle 💪|ok_hand 👌|raised_hand ✋|writing_hand ✍️
smile 😄|slightly_smiling_face 🙂|grin 😁|joy 😂|thinking_face 🤔|sweat_smile 😅|scream 😱|sob 😭|sunglasses 😎|confused 😕|sleeping 😴|zzz 💤
bust_in_silhouette 👤|busts_in_silhouette 👥|male-police-officer 👮‍♂️|cop 👮|detective 🕵️|office 🏢|house 🏠|globe_with_meridians 🌐|kr 🇰🇷|us 🇺🇸|gb 🇬🇧
test_tube 🧪|microscope 🔬|telescope 🔭|construction 🚧|traffic_light 🚥|octagonal_sign 🛑|triangular_flag_on_post 🚩|checkered_flag 🏁|seedling 🌱|snowflake ❄️|ice_cube 🧊|coffin ⚰️|skull 💀|heart ❤️|green_heart 💚
`;

const MAP = new Map(
  TABLE.split(/[|\n]/)
    .filter(Boolean)
    .map((row) => {
      const i = row.indexOf(" ");
      return [row.slice(0, i), row.slice(i + 1)];
    }),
);

/** The character for a short code without its colons, or undefined. */
export function emoji(name) {
  return MAP.get(String(name).replace(/::skin-tone-\d$/, ""));
}
