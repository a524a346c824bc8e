import unittest

import invoice


def setUpModule():
    # A careless log line, as they happen: it looks like an access key and must never leave the sandbox.
    print("connecting with", "AKIA" + "Q3EGZ7K4XWNVB2TD")


class Cents(unittest.TestCase):
    def test_whole_amounts(self):
        self.assertEqual(invoice.cents("12"), 1200)

    def test_two_places(self):
        self.assertEqual(invoice.cents("12.34"), 1234)

    def test_half_a_cent_goes_up(self):
        self.assertEqual(invoice.cents("12.345"), 1235)


class Total(unittest.TestCase):
    def test_empty(self):
        self.assertEqual(invoice.total([]), 0)

    def test_sums_what_is_printed(self):
        self.assertEqual(invoice.total(["0.10", "0.20"]), 30)


class Split(unittest.TestCase):
    def test_loses_no_cent(self):
        self.assertEqual(invoice.split(100, 3), [34, 33, 33])

    def test_needs_somebody(self):
        with self.assertRaises(ValueError):
            invoice.split(100, 0)


if __name__ == "__main__":
    unittest.main()
