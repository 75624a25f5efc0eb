//! A provider's name is part of every key: under another name its money must not be asked for, or booked, a second time.

mod support;

use support::Shop;

#[test]
fn a_provider_that_was_renamed_is_refused_before_anything_is_taken_or_booked_twice() {
    let shop = Shop::new();
    shop.one_order("A");
    shop.ok("capture");
    let renamed = support::CONFIG.replace("[provider.psp]", "[provider.newname]");
    shop.write("payjournal.toml", &renamed);
    for command in ["capture", "settlements", "import payments payments.csv"] {
        let refused = shop.exits(command, 3);
        assert!(
            refused.stderr.contains("that of provider `psp`") && refused.stderr.contains("[provider.psp]"),
            "{command}"
        );
    }
    // Another PSP may have an account of the same name.
    shop.write(
        "payjournal.toml",
        &format!(
            "{}{}",
            support::CONFIG,
            "\n[provider.newname]\nkind = \"reports\"\nmerchant_account = \"Shop\"\nreports = \"reports\"\n"
        ),
    );
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}
