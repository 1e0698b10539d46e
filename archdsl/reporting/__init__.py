"""What a person looks at: the front as a picture and as one self-contained page."""
