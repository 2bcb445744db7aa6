package main

// What README.md says that the program prints.
func Example() {
	main()
	// Output:
	// of visits it has not seen, it is right about 99 %
	// this one buys with 45 %, for 1.6 euros
}
